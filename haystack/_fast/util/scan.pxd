# Comparing bytes in any case, which no locale changes, looking through them and copying what is plain at memory speed:
# sixteen at a time where the processor has SSE2 (every x86-64), else eight.
cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    #if defined(__SSE2__)
    /* All bits of those bytes that are control characters. */
    static inline __m128i haystack_controls(const char *p)
    {
        const __m128i x = _mm_loadu_si128((const __m128i *)p);
        return _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(31)), x), _mm_cmpeq_epi8(x, _mm_set1_epi8(127)));
    }
    #endif

    /* The first control character in [p, end), or end. What stands from floor on may be read too. */
    static inline const char *haystack_first_control_or_tab(const char *floor, const char *p, const char *end)
    {
    #if defined(__SSE2__)
        int found;
        if (end - p >= 16) {
            found = _mm_movemask_epi8(haystack_controls(p));
            if (found)
                return p + __builtin_ctz(found);
            p += 16;
        }
        while (end - p >= 32) {
            const __m128i low = haystack_controls(p), high = haystack_controls(p + 16);
            if (_mm_movemask_epi8(_mm_or_si128(low, high))) {
                found = _mm_movemask_epi8(low) | _mm_movemask_epi8(high) << 16;
                return p + __builtin_ctz(found);
            }
            p += 32;
        }
        if (end - p >= 16) {
            found = _mm_movemask_epi8(haystack_controls(p));
            if (found)
                return p + __builtin_ctz(found);
            p += 16;
        }
        if (end - floor >= 16) {            /* the last sixteen, but for those before p */
            found = _mm_movemask_epi8(haystack_controls(end - 16)) >> (16 - (end - p));
            return found ? p + __builtin_ctz(found) : end;
        }
    #else
        const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
        while (end - p >= 8) {
            uint64_t x, del;
            memcpy(&x, p, 8);
            del = x ^ (ones * 127);
            /* either may report a byte too many behind the first hit, and never none: the loop below decides */
            if ((((x - ones * 32) & ~x) | ((del - ones) & ~del)) & tops)
                break;
            p += 8;
        }
    #endif
        for (; p < end; p++) {
            const unsigned char c = (unsigned char)*p;
            if (c < 32 || c == 127)
                return p;
        }
        return end;
    }

    /* The first control character other than a tab in [p, end), or end. Tabs are rare. */
    static inline const char *haystack_first_control(const char *floor, const char *p, const char *end)
    {
        p = haystack_first_control_or_tab(floor, p, end);
        while (p < end && *p == '\t')
            p = haystack_first_control_or_tab(floor, p + 1, end);
        return p;
    }

    /* The first byte in [p, end) that is no letter, digit or dash, or end: where most names end, and what else may be in one is looked at
       one by one. */
    static inline const char *haystack_plain_end(const char *p, const char *end)
    {
    #if defined(__SSE2__)
        /* a byte is in a range of n when it is below the least of signed bytes plus n, once the range begins there */
        const __m128i fold = _mm_set1_epi8(32), dash = _mm_set1_epi8('-');
        const __m128i letter = _mm_set1_epi8((char)(128 - 'a')), letters = _mm_set1_epi8((char)(-128 + 26));
        const __m128i digit = _mm_set1_epi8((char)(128 - '0')), digits = _mm_set1_epi8((char)(-128 + 10));
        while (end - p >= 16) {
            const __m128i x = _mm_loadu_si128((const __m128i *)p);
            const __m128i alpha = _mm_cmplt_epi8(_mm_add_epi8(_mm_or_si128(x, fold), letter), letters);
            const __m128i numeric = _mm_cmplt_epi8(_mm_add_epi8(x, digit), digits);
            const int plain = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(alpha, numeric), _mm_cmpeq_epi8(x, dash)));
            if (plain != 0xffff)
                return p + __builtin_ctz(~plain);
            p += 16;
        }
    #endif
        for (; p < end; p++) {
            const unsigned char c = (unsigned char)*p, folded = c | 32;
            if (!((folded >= 'a' && folded <= 'z') || (c >= '0' && c <= '9') || c == '-'))
                return p;
        }
        return end;
    }

    #if defined(__SSE2__)
    /* A bit for each byte that is no printable ASCII, a quote or a backslash. Signed, the bytes from 128 on are below the space too. */
    static inline int haystack_foreign(__m128i x)
    {
        const __m128i ends = _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(32)), _mm_cmpeq_epi8(x, _mm_set1_epi8(127)));
        const __m128i escaped = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(34)), _mm_cmpeq_epi8(x, _mm_set1_epi8(92)));
        return _mm_movemask_epi8(_mm_or_si128(ends, escaped));
    }
    #endif

    /* Copies bytes as far as they are printable ASCII, no quote and no backslash; how many. Writes no further than size. */
    static inline int haystack_put_printable(char *out, const char *p, int size)
    {
        int done = 0;
    #if defined(__SSE2__)
        int found;
        for (; size - done >= 16; done += 16) {
            const __m128i x = _mm_loadu_si128((const __m128i *)(p + done));
            _mm_storeu_si128((__m128i *)(out + done), x);
            found = haystack_foreign(x);
            if (found)
                return done + __builtin_ctz(found);
        }
        if (size - done >= 8) {
            const __m128i x = _mm_loadl_epi64((const __m128i *)(p + done));
            _mm_storel_epi64((__m128i *)(out + done), x);
            found = haystack_foreign(x) & 0xff;
            if (found)
                return done + __builtin_ctz(found);
            done += 8;
        }
        if (size - done >= 4) {
            int four;
            memcpy(&four, p + done, 4);
            memcpy(out + done, &four, 4);
            found = haystack_foreign(_mm_cvtsi32_si128(four)) & 0xf;
            if (found)
                return done + __builtin_ctz(found);
            done += 4;
        }
    #endif
        for (; done < size; done++) {
            const unsigned char c = (unsigned char)p[done];
            if (c < 32 || c >= 127 || c == 34 || c == 92)
                break;
            out[done] = (char)c;
        }
        return done;
    }

    static inline char haystack_lowered(char c)
    {
        return (unsigned char)(c - 'A') < 26 ? (char)(c | 32) : c;
    }

    /* Whether the bytes at a are those at b, whatever their case. */
    static inline int haystack_same_any(const char *a, const char *b, int size)
    {
        for (int i = 0; i < size; i++)
            if (haystack_lowered(a[i]) != haystack_lowered(b[i]))
                return 0;
        return 1;
    }

    /* Whether the bytes at a, no control characters, are those of the word in any case. The word has small letters, digits and dashes
       alone: they all have the bit that tells cases apart, and without control characters nothing else becomes one of them by it. */
    static inline int haystack_same_word(const char *a, const char *word, int size)
    {
        const uint64_t fold = 0x2020202020202020ULL;
        uint64_t x, y;
        uint32_t low, high;
        int i;
        if (size >= 8) {
            for (i = 0; i < size - 8; i += 8) {
                memcpy(&x, a + i, 8);
                memcpy(&y, word + i, 8);
                if ((x | fold) != y)
                    return 0;
            }
            memcpy(&x, a + size - 8, 8);
            memcpy(&y, word + size - 8, 8);
            return (x | fold) == y;
        }
        if (size >= 4) {
            memcpy(&low, a, 4);
            memcpy(&high, a + size - 4, 4);
            x = (uint64_t)high << 32 | low;
            memcpy(&low, word, 4);
            memcpy(&high, word + size - 4, 4);
            return (x | fold) == ((uint64_t)high << 32 | low);
        }
        for (i = 0; i < size; i++)
            if ((a[i] | 32) != word[i])
                return 0;
        return 1;
    }
    """
    const char *first_control "haystack_first_control"(const char *floor, const char *p, const char *end)
    const char *plain_end "haystack_plain_end"(const char *p, const char *end)
    int put_printable "haystack_put_printable"(char *out, const char *p, int size)
    bint same_any "haystack_same_any"(const char *a, const char *b, int size)
    bint same_word "haystack_same_word"(const char *a, const char *word, int size)
