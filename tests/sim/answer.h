/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer.h - may an operation end so?  An error needs a reason that the models know of, and what was read or
 * promised goes to the oracle (O1, O2, O5, O6).
 */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

struct client;
struct op;

/* 0 or a positive errno. */
void answer_check(struct op *op, int err);
/* A flush has failed, of which its client has not read the answer. */
void op_told(struct op *op);

/* It is new to the LUN: nobody has to tell it of what others have lost. */
void answer_joined(struct client *c);

#endif
