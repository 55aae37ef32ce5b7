# Comparing bytes in any case, which no locale changes, and looking through them at memory speed:
# sixteen at a time where the processor has SSE2 (every x86-64), else eight.
cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* The first control character other than a tab in [p, end), or end. */
    static inline const char *haystack_first_control(const char *p, const char *end)
    {
    #if defined(__SSE2__)
        const __m128i highest = _mm_set1_epi8(31), tab = _mm_set1_epi8(9), del = _mm_set1_epi8(127);
        while (end - p >= 16) {
            const __m128i x = _mm_loadu_si128((const __m128i *)p);
            const __m128i low = _mm_andnot_si128(_mm_cmpeq_epi8(x, tab), _mm_cmpeq_epi8(_mm_min_epu8(x, highest), x));
            const int found = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(x, del)));
            if (found)
                return p + __builtin_ctz(found);
            p += 16;
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
            if ((c < 32 && c != 9) || c == 127)
                return p;
        }
        return end;
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
    """
    const char *first_control "haystack_first_control"(const char *p, const char *end)
    const char *plain_end "haystack_plain_end"(const char *p, const char *end)
    bint same_any "haystack_same_any"(const char *a, const char *b, int size)
