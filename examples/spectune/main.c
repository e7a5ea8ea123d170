/* spectune: the library from the command line. */
#include "tool.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const command commands[] = {
    {"data", "FILE", 1, "tell what is understood of a table of spectra", data_options,
     command_data},
    {"space", "NAME|FILE", 1, "show a search space as a tree, check it, write it as XML",
     space_options, command_space},
    {"tune", "FILE", 1, "search for the best network for a property", tune_options, command_tune},
    {"trials", "STUDY", 1, "list the trials of a study", trials_options, command_trials},
    {"best", "STUDY", 1, "show the best trial of a study", best_options, command_best},
    {"importance", "STUDY", 1, "tell which hyperparameters mattered", importance_options,
     command_importance},
    {"export", "STUDY", 1, "write a study as a table or as JSON", export_options, command_export},
    {"import", "FILE STUDY", 2, "read a study that was exported, or a table of trials",
     import_options, command_import},
    {"copy", "FROM TO", 2, "copy a study into another store", copy_options, command_copy},
    {"stamp", "STUDY", 1, "say which Optuna is to open a store", stamp_options, command_stamp},
    {"fit", "FILE", 1, "train one configuration without a search", fit_options, command_fit},
    {"predict", "MODEL FILE", 2, "predict the samples of a table", predict_options,
     command_predict},
    {"evaluate", "MODEL FILE", 2, "compare predictions with references", evaluate_options,
     command_evaluate},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void help(void)
{
    puts("usage: spectune COMMAND [OPTION...] ARGUMENT...\n\n"
         "One-dimensional convolutional networks for spectra, tuned automatically.\n\n"
         "Commands:");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-11s %s\n", commands[i].name, commands[i].summary);
    puts("\nspectune COMMAND --help tells more, spectune --version the version.\n"
         "Exit code: 0 done, 1 failed or stopped, 2 misused.");
}

static int run(tool *t, int argc, char **argv)
{
    int code = args_read(t, argc, argv);
    if (code >= 0) return code;
    if (spt_ctx_new(NULL, &t->ctx) < 0) return fail("memory ran out");
    code = t->command->run(t);
    spt_ctx_free(t->ctx);
    free(t->records);
    return code;
}

int main(int argc, char **argv)
{
    tool t = {.command = NULL};
    /* Only for the width of characters: numbers are written the same everywhere. */
    setlocale(LC_CTYPE, "");
    int code = EXIT_DONE;
    if (argc < 2) {
        fputs("spectune: a command is missing; spectune --help lists them\n", stderr);
        return EXIT_MISUSED;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help();
    } else if (strcmp(argv[1], "--version") == 0) {
        printf("spectune %s\n%s\n", spt_version(), spt_build_info());
    } else {
        for (int i = 0; i < N_COMMANDS; i++)
            if (strcmp(argv[1], commands[i].name) == 0) t.command = &commands[i];
        if (t.command == NULL) {
            fprintf(stderr, "spectune: there is no command '%s'; spectune --help lists them\n",
                    argv[1]);
            return EXIT_MISUSED;
        }
        code = run(&t, argc - 2, argv + 2);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("spectune: standard output cannot be written (is the disk full?)\n", stderr);
        if (code == EXIT_DONE) code = EXIT_FAILED;
    }
    return code;
}
