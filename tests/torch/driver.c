/* compare_torch FILE...: every network of files that nets.py wrote, on every path, with figures. */
#include "compare.h"

#include <stdio.h>

static int show(const torch_case *c, uint32_t index, const char *path)
{
    torch_figures f = torch_compare(c, path);
    int failed = f.error[0] != 0;
    printf("network %2u %s:", index, path);
    for (int m = 0; m < TORCH_MEASURES; m++) {
        bool good = f.worst[m] <= torch_bars[m];
        printf(" %s %.1e%s%s%s", torch_measure_names[m], f.worst[m], good ? "" : " (",
               good ? "" : f.where[m], good ? "" : ")");
        failed += !good;
    }
    printf(" %s%s\n", f.error, failed ? " FAIL" : " ok");
    return failed != 0;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;
    for (int a = 1; a < argc; a++) {
        torch_file file = torch_open(argv[a]);
        for (uint32_t i = 0; i < file.n_cases; i++) {
            torch_case c = torch_read(&file, i);
            for (const char *const *path = torch_paths; *path; path++) {
                int bad = show(&c, i, *path);
                failed += bad;
                passed += 1 - bad;
            }
            torch_free(&c);
        }
        torch_close(&file);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
