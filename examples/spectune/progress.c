#include "progress.h"

#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 20, LINE = 512 };

double progress_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_begin(progress *p, int64_t before, int64_t wanted, double limit, double best,
                    int64_t best_trial, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (progress){.wanted = wanted,
                    .before = before,
                    .limit = limit,
                    .best = best,
                    .best_trial = best_trial,
                    .quiet = quiet,
                    .began = progress_clock()};
    p->live = !quiet && isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    p->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    p->trial_from = p->began;
}

/* 65 -> "1:05", 3605 -> "1:00:05" */
static void duration(char *buffer, size_t size, double seconds)
{
    long s = lround(fmax(0, seconds));
    if (s >= 3600)
        snprintf(buffer, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(buffer, size, "%ld:%02ld", s / 60, s % 60);
}

/* Seconds to go, NaN while nothing is known. `share` of the running trial is done. */
static double remaining(const progress *p, double share, double now)
{
    double done = (double)p->done + share, left = NAN;
    if (done > 0) left = (now - p->began) / done * ((double)(p->wanted - p->before) - done);
    if (p->limit > 0) left = fmin(isnan(left) ? INFINITY : left, p->limit - (now - p->began));
    return left;
}

static int columns(void)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) return w.ws_col;
    return 80;
}

/* Cut a line of UTF-8 after `most` characters, so that a narrow terminal does not wrap it. */
static void cut(char *line, int most)
{
    int seen = 0;
    for (char *c = line; *c != '\0'; c++)
        if (((unsigned char)*c & 0xc0) != 0x80 && ++seen > most) {
            *c = '\0';
            return;
        }
}

/* On a narrow terminal the numbers are worth more than the bar. */
static void bar(const progress *p, char *out, size_t size, double share)
{
    const int width = columns() < 90 ? BAR / 4 : BAR;
    int full = (int)lround(fmin(1, fmax(0, share)) * width);
    out[0] = '\0';
    for (int i = 0; i < width; i++)
        strncat(out, i < full ? (p->utf8 ? "\u2588" : "#") : (p->utf8 ? "\u2591" : "."),
                size - strlen(out) - 1);
}

/* `share` of the trial `what` is done. */
static void draw(progress *p, double share, const char *what)
{
    char line[LINE], blocks[BAR * 4 + 1], elapsed[32], left[32] = "?", best[64] = "none yet";
    double now = progress_clock(), r = remaining(p, share, now);
    int64_t have = p->before + p->done;
    if (!p->live || (now - p->drawn < 0.1 && share < 1)) return;
    p->drawn = now;
    duration(elapsed, sizeof elapsed, now - p->began);
    if (isfinite(r)) duration(left, sizeof left, r);
    if (isfinite(p->best))
        snprintf(best, sizeof best, "%.4g (trial %lld)", p->best, (long long)p->best_trial);
    bar(p, blocks, sizeof blocks, ((double)have + share) / fmax(1, (double)p->wanted));
    snprintf(line, sizeof line, "%s %lld/%lld  best %s  elapsed %s  left %s  %s", blocks,
             (long long)have, (long long)p->wanted, best, elapsed, left, what);
    cut(line, columns() - 1);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void progress_clear(progress *p)
{
    if (p->live) fputs("\r\033[K", stderr);
}

static void trial_end(progress *p, const spt_event *e)
{
    char elapsed[32], left[32] = "?", result[256];
    double now = progress_clock(), r;
    p->best = e->best;
    p->best_trial = e->best_trial;
    /* A stopped trial is on record, but counts for nothing. */
    if (e->reason == NULL ||
        (strcmp(e->reason, "stopped") != 0 && strcmp(e->reason, "abandoned") != 0))
        p->done++;
    if (p->quiet) return;
    if (p->live) {
        p->drawn = 0;
        if (e->state == SPT_TRIAL_FAILED) {
            progress_clear(p);
            fprintf(stderr, "trial %lld failed: %s\n", (long long)e->trial,
                    e->reason ? e->reason : "no reason given");
        }
        draw(p, 0, "");
        return;
    }
    if (e->state == SPT_TRIAL_COMPLETE)
        snprintf(result, sizeof result, "RMSE %.4g", e->loss);
    else
        snprintf(result, sizeof result, "%s%s%s", spt_trial_state_name(e->state),
                 e->reason ? ": " : "", e->reason ? e->reason : "");
    r = remaining(p, 0, now);
    duration(elapsed, sizeof elapsed, now - p->began);
    if (isfinite(r)) duration(left, sizeof left, r);
    fprintf(stderr, "trial %lld (%lld of %lld): %s in %.1f s, best ", (long long)e->trial,
            (long long)(p->before + p->done), (long long)p->wanted, result, now - p->trial_from);
    if (isfinite(p->best))
        fprintf(stderr, "%.4g (trial %lld)", p->best, (long long)p->best_trial);
    else
        fputs("none yet", stderr);
    fprintf(stderr, ", elapsed %s, left %s\n", elapsed, left);
}

int32_t progress_event(const spt_event *e, void *user)
{
    progress *p = user;
    char what[96];
    double folds = e->folds > 0 ? e->folds : 1;
    switch (e->kind) {
    case SPT_EVENT_TRIAL_START:
        if (p->flying++ == 0) p->trial_from = progress_clock();
        snprintf(what, sizeof what, "trial %lld", (long long)e->trial);
        draw(p, 0, what);
        break;
    case SPT_EVENT_EPOCH:
        snprintf(what, sizeof what, "fold %d/%d, epoch %lld", e->fold + 1, e->folds,
                 (long long)e->epoch);
        draw(p, (e->place + (double)e->epoch / fmax(1, (double)e->epochs)) / folds * 0.99, what);
        break;
    case SPT_EVENT_FOLD_END:
        snprintf(what, sizeof what, "fold %d/%d: %.4g", e->fold + 1, e->folds, e->loss);
        draw(p, (e->place + 1) / folds * 0.99, what);
        break;
    case SPT_EVENT_TRIAL_END:
        trial_end(p, e);
        p->flying--;
        p->trial_from = progress_clock(); /* with several in flight: since the last one ended */
        break;
    default: /* a newer library may tell of more */
        break;
    }
    return SPT_OK;
}

int32_t progress_epoch(const spt_epoch *e, void *user)
{
    progress *p = user;
    double now = progress_clock();
    if (p->live && (now - p->drawn >= 0.1 || e->epoch == e->epochs)) {
        p->drawn = now;
        fprintf(stderr, "\rtraining on all rows: epoch %lld of %lld\033[K", (long long)e->epoch,
                (long long)e->epochs);
        fflush(stderr);
    }
    return SPT_OK;
}
