// Facts about the running program: version, command line, and the flag that signals raise.
#include "runtime/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char version[] = "0.1.0";
static char *command_line;
static volatile sig_atomic_t stop_raised;

const char *mg_version(void)
{
    return version;
}

// Words that a shell would take apart stand in single quotes.
static void print_word(FILE *out, const char *word)
{
    const char *safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=,:@%";

    if (*word && !word[strspn(word, safe)]) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++) fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    fputc('\'', out);
}

void mg_program_start(int argc, char **argv)
{
    size_t bytes;
    FILE *out;

    signal(SIGXFSZ,
           SIG_IGN); // a file that grows too large is an error of write(2) like a full disk
    free(command_line);
    command_line = NULL;
    out = open_memstream(&command_line, &bytes);
    if (!out) return;
    for (int i = 0; i < argc; i++) {
        if (i > 0) fputc(' ', out);
        print_word(out, argv[i]);
    }
    fclose(out);
}

const char *mg_command_line(void)
{
    return command_line ? command_line : "";
}

static void raise_stop(int signal)
{
    (void)signal;
    stop_raised = 1;
}

void mg_stop_install(void)
{
    struct sigaction act = {.sa_handler = raise_stop, .sa_flags = SA_RESTART};

    stop_raised = 0;

    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    act.sa_flags |= SA_RESETHAND; // the second one is not caught
    sigaction(SIGINT, &act, NULL);
}

bool mg_stop_raised(void)
{
    return stop_raised;
}

bool mg_stop_agreed(const mg_comm *world)
{
    return mg_comm_max(world, stop_raised) != 0;
}
