/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto.c - codec of the control protocol (see proto.h).
 *
 * Whatever the bytes are, decoding ends in a message or an error.  The JSON
 * library recurses on nesting, so the depth is counted before it sees the line.
 * Knows no verb and no socket.
 */
#include "config.h"

#include "ctl/proto.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/units.h"

static const char *const code_names[CTL_CODE_NR] = {
#define X(sym, word) [sym] = word,
	CTL_CODES(X)
#undef X
};

const char *ctl_code_name(enum ctl_code code)
{
	return code_names[code];
}

enum ctl_code ctl_code_by_name(const char *word)
{
	for (int i = 0; i < CTL_CODE_NR; i++) {
		if (!strcmp(word, code_names[i]))
			return i;
	}
	return CTL_E_FAILED;
}

/* --- text --------------------------------------------------------------------- */

/* Length of the valid, printable UTF-8 sequence at @s, 0 if there is none. The first
 * byte may be the terminator; bytes are looked at one by one, so nothing behind it is
 * read. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n;
	uint32_t c;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		n = 2;
		c = s[0] & 0x1f;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		n = 3;
		c = s[0] & 0x0f;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		n = 4;
		c = s[0] & 0x07;
	} else {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* Overlong forms, surrogates, beyond Unicode, C1 controls, and the characters
	 * that turn the direction of a terminal's text. */
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff)
		return 0;
	if ((c >= 0xd800 && c <= 0xdfff) || c < 0xa0)
		return 0;
	if ((c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

char *ctl_clean(char *dst, size_t size, const char *src)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t out = 0;

	if (size == 0)
		return dst;
	while (*s) {
		size_t n = utf8_len(s);

		if (out + MAX(n, 1) >= size)
			break;
		if (n == 0) {
			dst[out++] = '?';
			s++;
			continue;
		}
		memcpy(dst + out, s, n);
		out += n;
		s += n;
	}
	dst[out] = '\0';
	return dst;
}

__attribute__((format(printf, 3, 0))) static void clean_vprintf(char *dst, size_t size,
								const char *fmt,
								va_list ap)
{
	char raw[1024];

	vsnprintf(raw, sizeof(raw), fmt, ap);
	ctl_clean(dst, size, raw);
}

int ctl_fail(struct ctl_error *err, enum ctl_code code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	clean_vprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void ctl_hint(struct ctl_error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	clean_vprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
}

/* Edit distance with transpositions of neighbours (Damerau), words of at most 31 bytes.
 */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[32][32];
	size_t la = strlen(a), lb = strlen(b);

	if (la > 31 || lb > 31)
		return 99;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			unsigned v = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			v = MIN(v, d[i - 1][j] + 1);
			v = MIN(v, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				v = MIN(v, d[i - 2][j - 2] + 1);
			d[i][j] = v;
		}
	}
	return d[la][lb];
}

const char *ctl_nearest(const char *word, const char *const *words, size_t n)
{
	const char *best = NULL;
	unsigned best_d = 99;
	size_t len = strlen(word);

	if (len == 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, words[i]);

		/* The beginning of a word, "fail" for "fail-path". */
		if (len >= 3 && !strncmp(word, words[i], len))
			d = 1;
		if (d < best_d) {
			best_d = d;
			best = words[i];
		}
	}
	return best_d <= 1 + len / 4 ? best : NULL;
}

/* --- decoding ----------------------------------------------------------------- */

/* How deep objects and arrays nest in @line; text inside strings does not count. An
 * unbalanced line is the JSON library's to refuse. */
static unsigned nesting(const char *line, size_t len)
{
	unsigned depth = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			depth++;
			deepest = MAX(deepest, depth);
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

/* The object on @line with its version checked, or NULL with @err filled in. */
static json_t *decode_object(const char *line, size_t len, size_t len_max,
			     unsigned nest_max, const char *what, struct ctl_error *err)
{
	json_error_t jerr = { 0 }; /* jansson leaves the code as it is when it cannot even begin */
	json_t *obj, *v;

	if (len > len_max) {
		ctl_fail(err, CTL_E_BAD_REQUEST, "%s: longer than %zu bytes", what,
			 len_max);
		return NULL;
	}
	if (nesting(line, len) > nest_max) {
		ctl_fail(err, CTL_E_BAD_REQUEST, "%s: nested deeper than %u levels",
			 what, nest_max);
		return NULL;
	}
	obj = json_loadb(line, len, JSON_REJECT_DUPLICATES, &jerr);
	if (!obj) {
		if (json_error_code(&jerr) == json_error_out_of_memory)
			ctl_fail(err, CTL_E_NO_MEMORY, "%s: no memory to read it",
				 what);
		else
			ctl_fail(err, CTL_E_BAD_REQUEST, "%s: not JSON: byte %d: %s",
				 what, jerr.position, jerr.text);
		return NULL;
	}
	if (!json_is_object(obj)) {
		ctl_fail(err, CTL_E_BAD_REQUEST, "%s: not an object", what);
		json_decref(obj);
		return NULL;
	}
	v = json_object_get(obj, "v");
	if (!json_is_integer(v) || json_integer_value(v) != CTL_PROTO_VERSION) {
		ctl_fail(err, CTL_E_BAD_VERSION,
			 "%s: member \"v\" is %s, %d is spoken here", what,
			 v ? "another version" : "missing", CTL_PROTO_VERSION);
		ctl_hint(err,
			 "lunmuxctl and lunmuxd must come from compatible releases");
		json_decref(obj);
		return NULL;
	}
	return obj;
}

int ctl_request_decode(const char *line, size_t len, struct ctl_request *ret,
		       struct ctl_error *err)
{
	json_t *obj, *verb;

	memset(ret, 0, sizeof(*ret));
	obj = decode_object(line, len, CTL_LINE_MAX, CTL_NESTING_MAX, "request", err);
	if (!obj)
		return -EINVAL;
	verb = json_object_get(obj, "verb");
	if (!json_is_string(verb) || json_string_length(verb) == 0) {
		json_decref(obj);
		ctl_fail(err, CTL_E_BAD_REQUEST,
			 "request: member \"verb\" is missing or no string");
		ctl_hint(err, "a request looks like {\"v\":%d,\"verb\":\"status\"}",
			 CTL_PROTO_VERSION);
		return -EINVAL;
	}
	if (json_string_length(verb) >= sizeof(ret->verb)) {
		json_decref(obj);
		return ctl_fail(err, CTL_E_UNKNOWN_VERB, "verb: longer than %zu bytes",
				sizeof(ret->verb) - 1);
	}
	memcpy(ret->verb, json_string_value(verb), json_string_length(verb));
	json_object_del(obj, "v");
	json_object_del(obj, "verb");
	ret->args = obj;
	return 0;
}

void ctl_request_clear(struct ctl_request *req)
{
	json_decref(req->args);
	memset(req, 0, sizeof(*req));
}

static int decode_error(const json_t *obj, struct ctl_response *ret,
			struct ctl_error *err)
{
	const char *code = NULL, *message = NULL, *hint = NULL;

	if (json_unpack((json_t *)obj, "{s:{s:s, s:s, s?s}}", "error", "code", &code,
			"message", &message, "hint", &hint) < 0)
		return ctl_fail(err, CTL_E_BAD_REQUEST,
				"response: no valid member \"error\"");
	ret->ok = false;
	ret->error.code = ctl_code_by_name(code);
	ctl_clean(ret->error.message, sizeof(ret->error.message), message);
	ctl_clean(ret->error.hint, sizeof(ret->error.hint), hint ? hint : "");
	return 0;
}

int ctl_response_decode(const char *line, size_t len, struct ctl_response *ret,
			struct ctl_error *err)
{
	json_t *obj, *ok;
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	obj = decode_object(line, len, CTL_REPLY_MAX, CTL_REPLY_NESTING_MAX, "response",
			    err);
	if (!obj)
		return -EINVAL;
	ok = json_object_get(obj, "ok");
	if (json_is_true(ok)) {
		ret->ok = true;
		ret->result = json_incref(json_object_get(obj, "result"));
		if (!ret->result)
			r = ctl_fail(err, CTL_E_BAD_REQUEST,
				     "response: no member \"result\"");
	} else if (json_is_false(ok)) {
		r = decode_error(obj, ret, err);
	} else {
		r = ctl_fail(err, CTL_E_BAD_REQUEST,
			     "response: member \"ok\" is no truth value");
	}
	json_decref(obj);
	if (r < 0)
		ctl_response_clear(ret);
	return r;
}

void ctl_response_clear(struct ctl_response *resp)
{
	json_decref(resp->result);
	memset(resp, 0, sizeof(*resp));
}

/* --- encoding ------------------------------------------------------------------- */

/* Takes @obj. */
static char *encode_line(json_t *obj, size_t len_max, size_t *ret_len)
{
	size_t len;
	char *line;

	if (!obj)
		return NULL;
	/* The length first: json_dumps() would grow its buffer in steps, and without a
	 * bound. */
	len = json_dumpb(obj, NULL, 0, JSON_COMPACT);
	if (len == 0 || len + 1 > len_max) {
		json_decref(obj);
		return NULL;
	}
	line = malloc(len + 2);
	/* The second pass may fail where the first did not: it allocates a little, too.
	 */
	if (line && json_dumpb(obj, line, len, JSON_COMPACT) != len) {
		free(line);
		line = NULL;
	}
	if (line) {
		memcpy(line + len, "\n", 2);
		*ret_len = len + 1;
	}
	json_decref(obj);
	return line;
}

char *ctl_request_encode(const char *verb, const json_t *args, size_t *ret_len)
{
	json_t *obj = json_pack("{s:i, s:s}", "v", CTL_PROTO_VERSION, "verb", verb);

	if (obj && args && json_object_update_missing(obj, (json_t *)args) < 0) {
		json_decref(obj);
		return NULL;
	}
	return encode_line(obj, CTL_LINE_MAX, ret_len);
}

char *ctl_ok_encode(json_t *result, size_t *ret_len)
{
	return encode_line(json_pack("{s:i, s:b, s:O}", "v", CTL_PROTO_VERSION, "ok", 1,
				     "result", result),
			   CTL_REPLY_MAX, ret_len);
}

char *ctl_error_encode(const struct ctl_error *err, size_t *ret_len)
{
	const char *hint = err->hint[0] ? err->hint : NULL;

	return encode_line(json_pack("{s:i, s:b, s:{s:s, s:s, s:s*}}", "v",
				     CTL_PROTO_VERSION, "ok", 0, "error", "code",
				     ctl_code_name(err->code), "message", err->message,
				     "hint", hint),
			   CTL_REPLY_MAX, ret_len);
}

/* --- names and places --------------------------------------------------------------
 */

bool ctl_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_BYTES_MAX || name[0] == '.')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
			    "6789._-") == len;
}

int ctl_socket_addr(const char *rundir, const char *name, struct sockaddr_un *ret)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n;

	if (!ctl_name_ok(name))
		return -EINVAL;
	n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s/ctl.sock", rundir, name);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	*ret = a;
	return 0;
}
