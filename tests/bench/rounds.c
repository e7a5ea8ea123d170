/* Clock, numbers from the command line, rounds. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int64_t bench_whole(const char *text)
{
    char *end = NULL;
    const long long value = text != NULL ? strtoll(text, &end, 10) : 0;
    if (value < 1 || *end != '\0') {
        fprintf(stderr, "'%s' is not a whole number of at least 1\n", text != NULL ? text : "");
        exit(2);
    }
    return value;
}

int bench_write(const char *folder, const char *name, const void *data, size_t size, int64_t n)
{
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length < (int)sizeof path ? fopen(path, "wb") : NULL;
    if (file == NULL) {
        perror(path);
        return -1;
    }
    const size_t written = fwrite(data, size, (size_t)n, file);
    if (fclose(file) == 0 && written == (size_t)n) return 0;
    perror(path);
    return -1;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int serve(const char *facts, bench_round_fn fn, void *user)
{
    char line[80];
    printf("ready %s\n", facts);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        bench_result r = {0, 0, ""};
        if (fn(&r, user) != 0) return 1;
        printf("done %.0f %.9g %s\n", r.samples, r.seconds, r.note);
        fflush(stdout);
    }
    return 0;
}

int bench_rounds(int64_t rounds, const char *facts, bench_round_fn fn, void *user)
{
    if (rounds == 0) return serve(facts, fn, user);
    double *rate = malloc((size_t)rounds * sizeof *rate);
    if (rate == NULL) return 1;
    for (int64_t i = 0; i < rounds; i++) {
        bench_result r = {0, 0, ""};
        if (fn(&r, user) != 0) {
            free(rate);
            return 1;
        }
        rate[i] = r.samples / r.seconds;
        printf("round %d: %.0f samples/s %s\n", (int)i + 1, rate[i], r.note);
        fflush(stdout);
    }
    qsort(rate, (size_t)rounds, sizeof *rate, compare);
    const double median = 0.5 * (rate[(rounds - 1) / 2] + rate[rounds / 2]);
    printf("median %.0f samples/s, lowest %.0f, highest %.0f\n", median, rate[0], rate[rounds - 1]);
    free(rate);
    return 0;
}
