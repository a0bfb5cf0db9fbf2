/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_hash.c - the hash that goes to the next process is the same in every build. */
#include <config.h>

#include "base/hash.h"
#include "unit.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

START_TEST(test_as_the_portable_one)
{
	static const size_t lengths[] = { 0, 1, 16, 17, 128, 240, 241, 512, 4096, 65536, 1048576, 1048579 };
	uint8_t *data = malloc(1048579 + 64);

	for (size_t i = 0; i < 1048579 + 64; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (size_t shift = 0; shift < 64; shift += 13)
			ck_assert_uint_eq(hash64(data + shift, lengths[i]), XXH3_64bits(data + shift, lengths[i]));
	/* From the test vectors of xxHash. */
	ck_assert_uint_eq(hash64(data, 0), 0x2d06800538d394c2);
	free(data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hash");
	TCase *tc = tcase_create("hash");

	tcase_add_test(tc, test_as_the_portable_one);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
