#include "testing.h"

#include "base/file.h"

/* FIPS 180-4 examples and the vectors of NIST's CAVP. */
START_TEST(known_digests)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                 {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                 {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spt__sha256 s;
        char hex[65];
        spt__sha256_init(&s);
        spt__sha256_put(&s, cases[i].text, strlen(cases[i].text));
        spt__sha256_hex(&s, hex);
        ck_assert_str_eq(hex, cases[i].digest);
    }
    spt__sha256 s;
    char hex[65];
    spt__sha256_init(&s);
    for (int i = 0; i < 1000000; i++)
        spt__sha256_put(&s, "a", 1);
    spt__sha256_hex(&s, hex);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(pieces_do_not_matter)
{
    char data[300];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)i;
    for (size_t size = 0; size <= sizeof data; size++) {
        char whole[65], parts[65];
        spt__sha256 s;
        spt__sha256_init(&s);
        spt__sha256_put(&s, data, size);
        spt__sha256_hex(&s, whole);
        spt__sha256_init(&s);
        spt__sha256_put(&s, data, size / 3);
        spt__sha256_put(&s, data + size / 3, size - size / 3);
        spt__sha256_hex(&s, parts);
        ck_assert_str_eq(whole, parts);
    }
}
END_TEST

START_TEST(values_are_little_endian)
{
    char a[65], b[65];
    spt__sha256 s;
    spt__sha256_init(&s);
    spt__sha256_int64(&s, 0x0102030405060708);
    spt__sha256_double(&s, 1.0);
    spt__sha256_text(&s, "ab");
    spt__sha256_hex(&s, a);
    static const unsigned char bytes[] = {8, 7,    6,    5, 4, 3, 2, 1, 0, 0, 0, 0,   0,
                                          0, 0xf0, 0x3f, 2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b'};
    spt__sha256_init(&s);
    spt__sha256_put(&s, bytes, sizeof bytes);
    spt__sha256_hex(&s, b);
    ck_assert_str_eq(a, b);
}
END_TEST

START_TEST(base64_known_texts)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xff\xfe", "+//+"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32], back[32];
        size_t n = strlen(cases[i][0]), size = n;
        spt__base64_encode(cases[i][0], n, text);
        ck_assert_str_eq(text, cases[i][1]);
        ck_assert(spt__base64_decode(text, strlen(text), back, &size));
        ck_assert_uint_eq(size, n);
        ck_assert_mem_eq(back, cases[i][0], n);
    }
    char back[8];
    size_t size = sizeof back;
    ck_assert(spt__base64_decode(" Zm\n9v\tYg\r= =", 13, back, &size));
    ck_assert_uint_eq(size, 4);
}
END_TEST

START_TEST(base64_refuses_what_is_none)
{
    static const char *const bad[] = {"Zg",   "Zg=",  "Z===", "Zg==Zg==", "Zg=a",  "Zh==",
                                      "Zm9=", "Z*==", "====", "=",        "Zm9vY", "-_-_"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char back[16];
        size_t size = sizeof back;
        ck_assert_msg(!spt__base64_decode(bad[i], strlen(bad[i]), back, &size), "%s", bad[i]);
    }
    char back[2];
    size_t size = sizeof back;
    ck_assert(!spt__base64_decode("Zm9v", 4, back, &size));
}
END_TEST

TEST_MAIN("base: hash", known_digests, pieces_do_not_matter, values_are_little_endian,
          base64_known_texts, base64_refuses_what_is_none)
