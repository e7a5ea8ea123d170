#include "file.h"

#include <string.h>

/* ---- SHA-256 (FIPS 180-4) ------------------------------------------------------------------ */

static uint32_t rotated(uint32_t v, unsigned bits)
{
    return v >> bits | v << (32 - bits);
}

static void sha256_block(uint32_t state[8], const uint8_t block[64])
{
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t v[8];
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25);
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + choice + k[i] + w[i];
        uint32_t s0 = rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

void spt__sha256_init(spt__sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(s, 0, sizeof *s);
    memcpy(s->state, start, sizeof start);
}

void spt__sha256_put(spt__sha256 *s, const void *data, size_t size)
{
    const uint8_t *p = data;
    while (size > 0) {
        size_t used = (size_t)(s->length % 64), room = 64 - used;
        size_t n = size < room ? size : room;
        memcpy(s->block + used, p, n);
        s->length += n;
        p += n;
        size -= n;
        if (n == room) sha256_block(s->state, s->block);
    }
}

void spt__sha256_hex(spt__sha256 *s, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    const uint64_t bits = s->length * 8;
    uint8_t tail[72] = {0x80};
    size_t zeros = (size_t)((119 - s->length % 64) % 64); /* up to 8 bytes before a block's end */
    for (unsigned i = 0; i < 8; i++)
        tail[1 + zeros + i] = (uint8_t)(bits >> (56 - 8 * i));
    spt__sha256_put(s, tail, 1 + zeros + 8);
    for (unsigned i = 0; i < 32; i++) {
        unsigned byte = s->state[i / 4] >> (24 - 8 * (i % 4)) & 0xff;
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    out[64] = '\0';
}

void spt__sha256_int64(spt__sha256 *s, int64_t v)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)v >> (8 * i));
    spt__sha256_put(s, bytes, sizeof bytes);
}

void spt__sha256_double(spt__sha256 *s, double v)
{
    int64_t bits = 0;
    memcpy(&bits, &v, sizeof bits);
    spt__sha256_int64(s, bits);
}

void spt__sha256_text(spt__sha256 *s, const char *text)
{
    size_t length = strlen(text);
    spt__sha256_int64(s, (int64_t)length);
    spt__sha256_put(s, text, length);
}

/* ---- base64 (RFC 4648) --------------------------------------------------------------------- */

void spt__base64_encode(const void *data, size_t size, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = data;
    for (; size > 0; p += 3) {
        const size_t n = size < 3 ? size : 3;
        uint32_t v = (uint32_t)p[0] << 16;
        if (n > 1) v |= (uint32_t)p[1] << 8;
        if (n > 2) v |= p[2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = n > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = n > 2 ? digits[v & 63] : '=';
        size -= n;
    }
    *out = '\0';
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool spt__base64_decode(const char *text, size_t length, void *out, size_t *out_size)
{
    uint8_t *to = out;
    size_t written = 0, capacity = *out_size;
    uint32_t v = 0;
    int digits = 0, padding = 0;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
        int value = c == '=' ? 0 : base64_value(c);
        if (value < 0 || (padding && c != '=')) return false;
        if (c == '=' && (digits < 2 || ++padding > 2)) return false;
        v = v << 6 | (uint32_t)value;
        if (++digits < 4) continue;
        size_t n = (size_t)(3 - padding);
        /* Bits that the padding cuts off are zero, or two texts would mean the same bytes. */
        if ((v & ((UINT32_C(1) << (8 * padding)) - 1)) != 0 || capacity - written < n) return false;
        for (size_t j = 0; j < n; j++)
            to[written++] = (uint8_t)(v >> (16 - 8 * j));
        v = 0;
        digits = 0;
    }
    if (digits != 0) return false;
    *out_size = written;
    return true;
}
