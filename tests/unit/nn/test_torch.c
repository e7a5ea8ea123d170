/* Our arithmetic against PyTorch's: tests/torch/reference.bin holds what it made of small networks,
 * in double precision. doc/nn.md says how that file came to be; tests/torch/test_torch.py makes
 * such files anew. */
#include "testing.h"

#include "../../torch/compare.h"

static torch_file file;

static void check(const torch_figures *f, int index, const char *path)
{
    ck_assert_msg(f->error[0] == 0, "network %d, %s: %s", index, path, f->error);
    for (int m = 0; m < TORCH_MEASURES; m++)
        ck_assert_msg(f->worst[m] <= torch_bars[m], "network %d, %s: %s of %s is off by %g", index,
                      path, torch_measure_names[m], f->where[m], f->worst[m]);
}

START_TEST(a_network_agrees_with_pytorch)
{
    torch_case c = torch_read(&file, (uint32_t)_i);
    for (int32_t k = 0; spt_kernels_name(k); k++) {
        torch_figures f = torch_compare(&c, spt_kernels_name(k));
        check(&f, _i, spt_kernels_name(k));
    }
    torch_free(&c);
}
END_TEST

/* Move the largest of n values by `share` of itself. */
static void spoil(float *values, int64_t n, double share)
{
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        if (fabsf(values[i]) > fabsf(values[at])) at = i;
    values[at] = (float)((double)values[at] * (1 + share));
}

/* Each bar is where it is said to be: a value that is off by twice as much is noticed, and by the
 * measure it belongs to. */
START_TEST(twice_a_bar_is_noticed)
{
    torch_case c = torch_read(&file, 0);
    torch_tensor *bias = &c.tensors[c.n_tensors - 1]; /* of the output */
    if (_i == TORCH_OUTPUT) spoil(c.trained, c.rows * c.outputs, 2 * torch_bars[_i]);
    if (_i == TORCH_GRADIENT) spoil(bias->gradient, bias->size, 2 * torch_bars[_i]);
    if (_i == TORCH_WEIGHT) spoil(bias->final, bias->size, 2 * torch_bars[_i]);
    torch_figures f = torch_compare(&c, NULL);
    ck_assert_str_eq(f.error, "");
    ck_assert_double_gt(f.worst[_i], torch_bars[_i]);
    ck_assert_str_eq(f.where[_i], _i == TORCH_OUTPUT ? "trained" : "output.bias");
    /* The last weights predict too: those that are off do so visibly. */
    for (int m = 0; m < TORCH_MEASURES; m++)
        if (m != _i && _i != TORCH_WEIGHT) ck_assert_double_le(f.worst[m], torch_bars[m]);
    torch_free(&c);
}
END_TEST

START_TEST(there_are_enough_networks)
{
    ck_assert_int_ge(file.n_cases, 40);
    ck_assert_int_eq(file.steps, 50);
}
END_TEST

/* How many cases there are must be known before the first of them runs. */
static void close_file(void)
{
    torch_close(&file);
}

SUITE_MAIN("nn torch", file = torch_open(SPT_TEST_SOURCE "/tests/torch/reference.bin");
           tcase_add_unchecked_fixture(tcase, NULL, close_file);
           tcase_add_test(tcase, there_are_enough_networks);
           tcase_add_loop_test(tcase, a_network_agrees_with_pytorch, 0, (int)file.n_cases);
           tcase_add_loop_test(tcase, twice_a_bar_is_noticed, 0, TORCH_MEASURES);)
