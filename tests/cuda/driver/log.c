/* What was launched, copied and waited for; and planted faults. */
#include "standin.h"

#include <stdlib.h>
#include <unistd.h>

pthread_mutex_t standin_mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

typedef struct {
  const char *name;
  int kind, captured, device;
  unsigned stream;
  size_t bytes;
} Entry;

typedef void (*Listener)(const Entry *entry);
static Listener listener;
static size_t totals[KINDS];

/* Heard later: what is called under a lock of torch's. The listener needs Python's lock, and whoever has that may wait for
   torch's: each thread's are heard before what it does next. */
enum { MOST_LATER = 64 };
static __thread Entry later[MOST_LATER];
static __thread int waiting;

static void hear_later_ones(Listener heard) {
  Entry entries[MOST_LATER]; /* the listener may do more of the kind */
  int count = waiting;
  memcpy(entries, later, count * sizeof *later);
  waiting = 0;
  for (int i = 0; heard && i < count; i++) heard(&entries[i]);
}

EXPORT void standin_listen(Listener heard) {
  hear_later_ones(listener);
  listener = heard;
}
EXPORT size_t standin_total(int kind) { return kind >= 0 && kind < KINDS ? totals[kind] : 0; }

void note(const char *name, Kind kind, int captured, unsigned stream) { note_of(name, kind, captured, stream, 0); }

void note_of(const char *name, Kind kind, int captured, unsigned stream, size_t bytes) {
  __atomic_add_fetch(&totals[kind], 1, __ATOMIC_RELAXED);
  Listener heard = listener;
  if (waiting) hear_later_ones(heard);
  if (heard) {
    Entry entry = {name, kind, captured, current_device, stream, bytes};
    heard(&entry);
  }
}

void note_later(const char *name, Kind kind) {
  __atomic_add_fetch(&totals[kind], 1, __ATOMIC_RELAXED);
  if (listener && waiting < MOST_LATER) later[waiting++] = (Entry){name, kind, 0, current_device, 0, 0};
}

/* ---- contexts: a device has one from the first call on that meets it ---- */
static int begun[MOST_DEVICES];

EXPORT int standin_context(int device) { return device >= 0 && device < MOST_DEVICES && begun[device]; }

static void begin_context(void) {
  if (current_device >= 0 && current_device < MOST_DEVICES && !__atomic_exchange_n(&begun[current_device], 1, __ATOMIC_RELAXED))
    note("a context begins", MEMORY, 0, 0);
}

/* ---- faults ---- */
static cudaError_t planted; /* what every call fails with once its time has come */
static int planted_on = -1; /* the device, or -1 for every one */
static long calls_left;
static char watched_file[4096]; /* if set, its time comes when this file is there */
static int struck;
long plantings; /* how often one was planted or taken away */

EXPORT int standin_plant(const char *name, int device, long after, const char *file) {
  cudaError_t error = name && *name ? error_of(name) : cudaSuccess;
  if (error == cudaErrorUnknown && strcmp(name, "cudaErrorUnknown")) return -1;
  LOCKED;
  plantings++;
  planted = error;
  planted_on = device;
  calls_left = after;
  struck = 0;
  strncpy(watched_file, file ? file : "", sizeof watched_file - 1);
  UNLOCKED;
  return error;
}

__attribute__((constructor)) static void planted_by_environment(void) {
  const char *name = getenv("STANDIN_FAIL"), *after = getenv("STANDIN_FAIL_AFTER"), *device = getenv("STANDIN_FAIL_DEVICE");
  if (name) standin_plant(name, device ? atoi(device) : -1, after ? atol(after) : 0, getenv("STANDIN_FAIL_FILE"));
}

cudaError_t fault(void) {
  begin_context();
  if (!planted || (planted_on >= 0 && planted_on != current_device)) return cudaSuccess;
  LOCKED;
  if (!struck && !(*watched_file && access(watched_file, F_OK))) struck = calls_left-- <= 0;
  cudaError_t error = struck ? planted : cudaSuccess;
  UNLOCKED;
  return error ? failed(error) : cudaSuccess;
}
