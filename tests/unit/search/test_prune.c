/* The pruning rules by themselves: distributions against their closed forms, each rule on small
 * cases worked out by hand, and what all of them have in common. */
#include "testing.h"

#include "search/prune.h"

/* ---- distributions ---- */

/* The signs of n ranks, all 2^n ways: how many give a sum as high as that of the data? */
static double by_counting(const double *d, int n)
{
    double rank[16];
    int used = 0, as_high = 0;
    double x[16], sum = 0;
    for (int i = 0; i < n; i++)
        if (d[i] != 0) x[used++] = d[i];
    for (int i = 0; i < used; i++) {
        double below = 0, same = 0;
        for (int j = 0; j < used; j++) {
            below += fabs(x[j]) < fabs(x[i]);
            same += fabs(x[j]) == fabs(x[i]);
        }
        rank[i] = below + (same + 1) / 2;
        if (x[i] > 0) sum += rank[i];
    }
    for (int signs = 0; signs < 1 << used; signs++) {
        double s = 0;
        for (int i = 0; i < used; i++)
            if (signs >> i & 1) s += rank[i];
        as_high += s >= sum;
    }
    return (double)as_high / (1 << used);
}

START_TEST(wilcoxon_exact)
{
    /* tables of the signed-rank test: all n differences positive has a chance of 2^-n */
    double all[12];
    for (int n = 1; n <= 12; n++) {
        for (int i = 0; i < n; i++)
            all[i] = i + 1;
        NEAR(spt__wilcoxon(all, n), pow(2, -n), 1e-15);
        for (int i = 0; i < n; i++)
            all[i] = -i - 1;
        NEAR(spt__wilcoxon(all, n), 1, 1e-15);
    }
    /* n = 5, sum 14 and 13: 2 and 3 of the 32 ways */
    double a[] = {-1, 2, 3, 4, 5}, b[] = {1, -2, 3, 4, 5};
    NEAR(spt__wilcoxon(a, 5), 2.0 / 32, 1e-15);
    NEAR(spt__wilcoxon(b, 5), 3.0 / 32, 1e-15);
    /* n = 10, sum of the negative ranks 10: one-sided 0.0420 in the tables (43 of 1024) */
    double c[] = {-1, -2, -3, -4, 5, 6, 7, 8, 9, 10};
    NEAR(spt__wilcoxon(c, 10), 43.0 / 1024, 1e-15);
}
END_TEST

START_TEST(wilcoxon_ties_and_zeros)
{
    static const double cases[][8] = {{1, 1, 1, 1, 1, 1, 1, 1},   {1, -1, 1, -1, 2, 2, -2, 3},
                                      {0, 0, 1, 2, -2, 3, 3, 0},  {0, 0, 0, 0, 0, 0, 0, 0.5},
                                      {-3, 3, 3, 3, -1, 1, 0, 5}, {0.5, -0.5, 0, 0, 0, 0, 0, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double d[8];
        memcpy(d, cases[k], sizeof d);
        const double p = by_counting(d, 8);
        NEAR(spt__wilcoxon(d, 8), p, 1e-14);
    }
    double none[3] = {0, 0, 0};
    ck_assert_double_eq(spt__wilcoxon(none, 3), 1);
    ck_assert_double_eq(spt__wilcoxon(none, 0), 1);
}
END_TEST

/* Where the exact distribution ends the normal one goes on, to within its error. */
START_TEST(wilcoxon_many)
{
    double d[60], e[60];
    for (int i = 0; i < 60; i++)
        d[i] = (i % 3 == 0 ? -1 : 1) * (1 + i % 7 + i * 0.01);
    memcpy(e, d, sizeof e);
    const double exact = spt__wilcoxon(d, 50);
    double s = 0, v = 50.0 * 51 * 101 / 24;
    for (int i = 0; i < 50; i++)
        if (d[i] > 0) s += i + 1;
    NEAR(exact, 0.5 * erfc((s - 50.0 * 51 / 4 - 0.5) / sqrt(2 * v)), 2e-3);
    s = 0;
    v = 60.0 * 61 * 121 / 24;
    const double normal = spt__wilcoxon(e, 60);
    for (int i = 0; i < 60; i++)
        if (e[i] > 0) s += i + 1;
    NEAR(normal, 0.5 * erfc((s - 60.0 * 61 / 4 - 0.5) / sqrt(2 * v)), 1e-14);
}
END_TEST

START_TEST(student)
{
    for (double t = -30; t <= 30; t += 0.7) {
        /* one and two degrees of freedom have closed forms, very many are the normal one */
        NEAR(spt__student_tail(t, 1), 0.5 - atan(t) / acos(-1), 1e-13);
        NEAR(spt__student_tail(t, 2), 0.5 - t / (2 * sqrt(2 + t * t)), 1e-13);
        NEAR(spt__student_tail(t, 4),
             0.5 - (0.375 * 4 * t / sqrt(4 + t * t)) / 2 * (1 - t * t / (4 + t * t) / 3), 1e-13);
        NEAR(spt__student_tail(t, 1e5), 0.5 * erfc(t / sqrt(2)), 1e-5);
        NEAR(spt__student_tail(t, 7.5) + spt__student_tail(-t, 7.5), 1, 1e-14);
    }
    ck_assert_double_eq(spt__student_tail(INFINITY, 3), 0);
    ck_assert_double_eq(spt__student_tail(-INFINITY, 3), 1);
    ck_assert_double_eq(spt__student_tail(NAN, 3), 1);
    /* tables: t = 2.015, 5 degrees: 0.05 */
    NEAR(spt__student_tail(2.015048373333024, 5), 0.05, 1e-12);
}
END_TEST

/* ---- rules ---- */

enum { K = 5 };
static const int64_t steps[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static spt__curve curve(const double *values, int64_t n, bool complete)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += values[i] / (double)n;
    return (spt__curve){steps, values, n, complete, complete ? sum : NAN};
}

static spt__prune_rule rule(spt__prune_kind kind)
{
    return (spt__prune_rule){.kind = kind, .startup = 1, .after = 1, .level = 0.1, .factor = 3};
}

START_TEST(wilcoxon_rule)
{
    static const double best[K] = {1, 2, 3, 4, 5}, worse[K] = {1.1, 2.2, 3.3, 4.4, 5.5},
                        mixed[K] = {0.9, 2.2, 3.3, 4.4, 5.5}, better[K] = {0.9, 1.8, 2, 3, 4};
    const spt__curve peer = curve(best, K, true);
    spt__prune_rule r = rule(SPT__PRUNE_WILCOXON);
    for (int64_t n = 1; n <= K; n++) {
        spt__curve own = curve(worse, n, false);
        spt__verdict v = spt__prune(&r, &own, &peer, 1);
        NEAR(v.figure, pow(2, -(double)n), 1e-15);
        ck_assert_int_eq(v.prune, n >= 4);
        own = curve(better, n, false);
        ck_assert(!spt__prune(&r, &own, &peer, 1).prune);
    }
    spt__curve own = curve(mixed, 4, false);
    NEAR(spt__prune(&r, &own, &peer, 1).figure, 2.0 / 16, 1e-15); /* 0.1 is the lowest rank */
    /* only steps that both have: the best lacks step 0 */
    const spt__curve later = {steps + 1, best + 1, K - 1, true, 3.5};
    own = curve(worse, K, false);
    NEAR(spt__prune(&r, &own, &later, 1).figure, 1.0 / 16, 1e-15);
    /* worse by rank, better by mean: it may yet be the best */
    static const double lucky[K] = {1.1, 2.1, 3.1, 4.1, -5};
    own = curve(lucky, K, false);
    r.level = 0.5;
    ck_assert(!spt__prune(&r, &own, &peer, 1).prune);
}
END_TEST

START_TEST(racing_rule)
{
    /* Differences of logarithms to the best: 0.1 and 0.3 of one complete trial (variance 0.02, 1
     * degree of freedom over two steps); 0.5 after one step of two.
     * Its error: sqrt(0.02 * (2 - 1) / (2 * 1)) = 0.1, t = 5 with 1 degree of freedom. */
    const double best[2] = {1, 1}, other[2] = {exp(0.1), exp(0.3)}, own1[2] = {exp(0.5), 1};
    const spt__curve peers[2] = {curve(best, 2, true), curve(other, 2, true)};
    spt__prune_rule r = rule(SPT__PRUNE_RACING);
    spt__curve own = curve(own1, 1, false);
    spt__verdict v = spt__prune(&r, &own, peers, 2);
    NEAR(v.figure, 0.5 - atan(5) / acos(-1), 1e-12);
    ck_assert(v.prune);
    r.level = 0.05;
    ck_assert(!spt__prune(&r, &own, peers, 2).prune);
    /* nothing is known of the variance: one step tells nothing */
    ck_assert(!spt__prune(&r, &own, peers, 1).prune);
    /* as many steps as the best has: there is nothing left to save */
    own = curve(own1, 2, false);
    ck_assert(!spt__prune(&r, &own, peers, 2).prune);
    /* four steps, one done of itself and two of its own: the same by hand, on the plain scale as a
     * value is negative. Differences 1 and 2, mean 1.5, squares 0.5; pooled squares of the other
     * (0, 1, 1, 2: 2) with 3 degrees of freedom: variance 2.5 / 4, error sqrt(0.625 * 2 / 8). */
    const double four[4] = {-1, 0, 1, 2}, more[4] = {-1, 1, 2, 4}, now[2] = {0, 2};
    const spt__curve p4[2] = {curve(four, 4, true), curve(more, 4, true)};
    own = curve(now, 2, false);
    NEAR(spt__prune(&r, &own, p4, 2).figure, spt__student_tail(1.5 / sqrt(0.625 / 4), 4), 1e-12);
    /* better so far is never given up */
    const double well[2] = {0.5, 1};
    own = curve(well, 1, false);
    ck_assert(!spt__prune(&r, &own, peers, 2).prune);
}
END_TEST

/* One in ten that would have been the best is given up, if differences are normal and the variance
 * is known: the rule keeps what its level says. */
START_TEST(racing_keeps_its_level)
{
    uint64_t state = 12345;
    int would_win = 0, lost = 0, saved = 0, trials = 20000;
    double best[K], peer[30][K], own[K];
    spt__curve peers[31];
    spt__prune_rule r = rule(SPT__PRUNE_RACING);
    for (int t = 0; t < trials; t++) {
        double *rows[32] = {best};
        for (int i = 0; i < 30; i++)
            rows[i + 1] = peer[i];
        rows[31] = own;
        for (int i = 0; i < 32; i++)
            for (int j = 0; j < K; j++) {
                double sum = 0; /* of 12 uniform numbers */
                for (int k = 0; k < 12; k++) {
                    state = state * 6364136223846793005u + 1442695040888963407u;
                    sum += (double)(state >> 40) / 16777216.0;
                }
                rows[i][j] = i == 0 ? 10 : 10 * exp(0.01 * (sum - 6) + (i < 31 ? 0.03 : 0));
            }
        for (int i = 0; i < 31; i++)
            peers[i] = curve(rows[i], K, true);
        double mean = 0;
        for (int j = 0; j < K; j++)
            mean += own[j] / K;
        bool pruned = false;
        for (int n = 1; n < K && !pruned; n++) {
            const spt__curve c = curve(own, n, false);
            pruned = spt__prune(&r, &c, peers, 31).prune;
        }
        const bool wins = mean < 10;
        would_win += wins;
        lost += wins && pruned;
        saved += !wins && pruned;
    }
    /* it is looked at four times, so somewhat more than one look's level of 0.1 */
    ck_assert_msg(lost < 0.2 * would_win, "%d of %d winners were given up", lost, would_win);
    ck_assert_msg(saved > 0.3 * (trials - would_win), "%d of %d saved", saved, trials - would_win);
}
END_TEST

START_TEST(median_rule)
{
    static const double v[5][3] = {{1, 5, 9}, {2, 4, 6}, {3, 3, 3}, {4, 2, 0}, {5, 1, 0}};
    spt__curve peers[5];
    spt__prune_rule r = rule(SPT__PRUNE_MEDIAN);
    for (int i = 0; i < 5; i++)
        peers[i] = curve(v[i], 3, true);
    const double own3[3] = {3, 3.5, 2.9}, bad[3] = {3.1, 3, 3};
    spt__curve own = curve(own3, 1, false);
    ck_assert(!spt__prune(&r, &own, peers, 5).prune); /* as good as the median */
    own = curve(bad, 1, false);
    spt__verdict verdict = spt__prune(&r, &own, peers, 5);
    ck_assert(verdict.prune);
    NEAR(verdict.figure, 0.6, 1e-15);
    /* means of two steps are 3 for all: 3.25 is worse; by the lowest value 3 is better than none
     * but those of 1, 2 and 1 */
    own = curve(own3, 2, false);
    ck_assert(spt__prune(&r, &own, peers, 5).prune);
    r.lowest = true;
    const double low[3] = {9, 1.5, 9};
    own = curve(low, 2, false);
    ck_assert(!spt__prune(&r, &own, peers, 5).prune);
    /* trials that have not come so far are not compared */
    for (int i = 1; i < 5; i++)
        peers[i] = curve(v[i], 1, false);
    own = curve(bad, 2, false);
    NEAR(spt__prune(&r, &own, peers, 5).figure, 1, 1e-15);
}
END_TEST

START_TEST(halving_rule)
{
    double v[9][9];
    spt__curve peers[9];
    spt__prune_rule r = rule(SPT__PRUNE_HALVING);
    for (int i = 0; i < 9; i++) {
        for (int j = 0; j < 9; j++)
            v[i][j] = i;
        peers[i] = curve(v[i], i < 6 ? 9 : 1, i < 6);
    }
    /* rungs at 1, 3 and 9 steps. Nine have reached the first; with itself ten, three go on */
    for (int64_t n = 1; n <= 9; n++) {
        double own[9];
        for (int j = 0; j < 9; j++)
            own[j] = 2.5;
        spt__curve c = curve(own, n, false);
        const spt__verdict verdict = spt__prune(&r, &c, peers, 9);
        ck_assert_int_eq(verdict.prune, n == 1 || n == 3 || n == 9);
        for (int j = 0; j < 9; j++)
            own[j] = 1.5;
        c = curve(own, n, false);
        /* six have reached the second rung, with itself seven: two go on */
        ck_assert_int_eq(spt__prune(&r, &c, peers, 9).prune, n == 3 || n == 9);
    }
    /* alone with one other, the better one goes on */
    const double good[1] = {-1}, bad[1] = {1};
    spt__curve c = curve(good, 1, false);
    ck_assert(!spt__prune(&r, &c, peers, 1).prune);
    c = curve(bad, 1, false);
    ck_assert(spt__prune(&r, &c, peers, 1).prune);
}
END_TEST

START_TEST(estimates)
{
    static const double best[4] = {1, 2, 3, 6}, own[2] = {2, 3}, other[2] = {-1, 3}, late[1] = {9};
    static const int64_t there[2] = {2, 0}, nowhere[1] = {7};
    const spt__curve complete = curve(best, 4, true);
    /* steps 0 and 1: 5 to 3 */
    spt__curve c = curve(own, 2, false);
    NEAR(spt__prune_estimate(&c, &complete), 3 * 5.0 / 3, 1e-15);
    /* steps 2 and 0: 5 to 4 */
    c.steps = there;
    NEAR(spt__prune_estimate(&c, &complete), 3 * 5.0 / 4, 1e-15);
    /* by difference where not all is positive: (2 - 3) / 2 */
    c = curve(other, 2, false);
    NEAR(spt__prune_estimate(&c, &complete), 3 - 0.5, 1e-15);
    /* no step in common; no value */
    c = (spt__curve){nowhere, late, 1, false, NAN};
    ck_assert(isnan(spt__prune_estimate(&c, &complete)));
    const double bad[1] = {NAN};
    c = curve(bad, 1, false);
    ck_assert(spt__prune_estimate(&c, &complete) == INFINITY);
}
END_TEST

/* ---- what all rules have in common ---- */

static const spt__prune_kind kinds[] = {SPT__PRUNE_NONE, SPT__PRUNE_WILCOXON, SPT__PRUNE_RACING,
                                        SPT__PRUNE_MEDIAN, SPT__PRUNE_HALVING};

START_TEST(every_rule)
{
    double good[8][9], own[9], poor[9];
    spt__curve peers[8];
    const spt__prune_kind kind = kinds[_i];
    spt__prune_rule r = rule(kind);
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 9; j++)
            good[i][j] = 1 + 0.01 * i + 0.001 * ((i * 7 + j * 3) % 5);
        peers[i] = curve(good[i], 9, true);
    }
    for (int j = 0; j < 9; j++) {
        own[j] = 0.5;
        poor[j] = 50;
    }
    const bool prunes = kind != SPT__PRUNE_NONE;
    const int64_t n = kind == SPT__PRUNE_WILCOXON ? 4 : 1;
    /* what is far worse is given up, what is better is not, at any number of steps */
    spt__curve c = curve(poor, n, false);
    ck_assert_int_eq(spt__prune(&r, &c, peers, 8).prune, prunes);
    for (int64_t m = 0; m <= 9; m++) {
        c = curve(own, m, false);
        ck_assert(!spt__prune(&r, &c, peers, 8).prune);
    }
    /* the same question has the same answer */
    c = curve(poor, n, false);
    const spt__verdict a = spt__prune(&r, &c, peers, 8), b = spt__prune(&r, &c, peers, 8);
    ck_assert(a.prune == b.prune && (a.figure == b.figure || (isnan(a.figure) && isnan(b.figure))));
    /* no trial, or too few complete ones; too few steps */
    ck_assert(!spt__prune(&r, &c, NULL, 0).prune);
    r.startup = 9;
    ck_assert(!spt__prune(&r, &c, peers, 8).prune);
    r.startup = 1;
    r.after = n + 1;
    ck_assert(!spt__prune(&r, &c, peers, 8).prune);
    r.after = 1;
    /* all others were given up, or failed: there is nobody to be worse than */
    for (int i = 0; i < 8; i++)
        peers[i] = curve(good[i], i % 2, false);
    ck_assert(!spt__prune(&r, &c, peers, 8).prune);
    /* no value, or an infinite one, is worse than any; nobody is worse than it */
    for (int i = 0; i < 8; i++)
        peers[i] = curve(good[i], 9, true);
    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 3; k++) {
        for (int j = 0; j < 9; j++)
            poor[j] = bad[k];
        c = curve(poor, n, false);
        ck_assert_int_eq(spt__prune(&r, &c, peers, 8).prune, prunes);
        double broken[9];
        memcpy(broken, poor, sizeof broken);
        spt__curve with_bad[8];
        memcpy(with_bad, peers, sizeof with_bad);
        with_bad[7] = (spt__curve){steps, broken, 9, true, 3};
        c = curve(own, n, false);
        ck_assert(!spt__prune(&r, &c, with_bad, 8).prune);
    }
}
END_TEST

SUITE_MAIN("search prune", tcase_add_test(tcase, wilcoxon_exact);
           tcase_add_test(tcase, wilcoxon_ties_and_zeros); tcase_add_test(tcase, wilcoxon_many);
           tcase_add_test(tcase, student); tcase_add_test(tcase, wilcoxon_rule);
           tcase_add_test(tcase, racing_rule); tcase_add_test(tcase, racing_keeps_its_level);
           tcase_add_test(tcase, median_rule); tcase_add_test(tcase, estimates);
           tcase_add_test(tcase, halving_rule); tcase_add_loop_test(tcase, every_rule, 0, 5);)
