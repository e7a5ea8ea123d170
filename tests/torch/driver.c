/* compare_torch FILE...: every network of files that nets.py wrote, with all kernels, with figures.
 */
#include "compare.h"

#include <stdio.h>

static int show(const torch_case *c, uint32_t index, const char *kernels)
{
    torch_figures f = torch_compare(c, kernels);
    int failed = f.error[0] != 0;
    printf("network %2u %-8s:", index, kernels);
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
            for (int32_t k = 0; spt_kernels_name(k); k++) {
                int bad = show(&c, i, spt_kernels_name(k));
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
