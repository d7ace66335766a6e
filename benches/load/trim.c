// Gives back to the system what glibc keeps free, ten times a second: then the memory of a process is what it holds.
//
// cc -O2 -shared -fPIC -pthread -o libtrim.so benches/load/trim.c, and LD_PRELOAD=./libtrim.so.

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static void *trim(void *unused) {
    for (;;) {
        usleep(100 * 1000);
        malloc_trim(0);
    }
    return unused;
}

__attribute__((constructor)) static void start(void) {
    sigset_t all, before;
    pthread_t thread;
    // The thread has the mask of the one that starts it, and signals are for the program.
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0 || pthread_create(&thread, NULL, trim, NULL) != 0
        || pthread_sigmask(SIG_SETMASK, &before, NULL) != 0) {
        abort();
    }
}
