/* Streams, capture with CUDA's rules, events, graphs. Work is done where it is launched, so streams never overlap. */
#include "standin.h"

#include <stdlib.h>
#include <time.h>

enum State { IDLE, CAPTURING, INVALID };

typedef struct Event Event;

typedef struct Graph {
  size_t nodes, count;
  Event **events; /* count of them, recorded anew at each launch */
} Graph;

typedef struct Stream {
  unsigned number, flags;
  int priority;
  enum State state;
  struct Capture *capture;       /* while it is capturing or invalid */
  unsigned long long capture_id; /* of the last one */
  size_t launched, joined;       /* launches in this capture; how many of them the capture's first stream waits for */
  struct Stream *next;
} Stream;

typedef struct Capture {
  unsigned long long id;
  Stream *origin;
  enum cudaStreamCaptureMode mode;
  pthread_t owner;
  int invalid;
  Graph *graph;
  struct Capture *next;
} Capture;

struct Event {
  double milliseconds; /* when it was recorded */
  int recorded;
  unsigned long long capture; /* the capture that it was recorded in, or 0 */
  Stream *stream;
  size_t launched; /* by the stream before it */
};

static double (*planted_clock)(void); /* the device's time in milliseconds, if it is not this machine's */
EXPORT void standin_clock(double (*milliseconds)(void)) { planted_clock = milliseconds; }

static double now(void) {
  double (*planted)(void) = planted_clock;
  struct timespec t;
  if (planted) return planted();
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static Stream *streams, legacy[MOST_DEVICES];
static Capture *captures; /* those that are going on */
static unsigned next_stream = 1;
static unsigned long long next_capture = 1;
static __thread enum cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

/* The handles 0, 1 and 2 are the legacy stream and a thread's own, which torch does not use. */
static int is_legacy(cudaStream_t stream) { return (size_t)stream <= 2; }
static Stream *of(cudaStream_t stream) { return is_legacy(stream) ? &legacy[current_device] : (Stream *)stream; }

/* ---- rules of capture ---- */
static cudaError_t end_capture_with(Capture *capture, cudaError_t error) {
  capture->invalid = 1;
  for (Stream *s = streams; s; s = s->next)
    if (s->capture == capture) s->state = INVALID;
  return failed(error);
}

cudaError_t unsafe(void) {
  cudaError_t error = cudaSuccess;
  if (thread_mode == cudaStreamCaptureModeRelaxed) return error;
  LOCKED;
  for (Capture *c = captures; c; c = c->next) {
    int forbidden = pthread_equal(c->owner, pthread_self())
                        ? c->mode != cudaStreamCaptureModeRelaxed
                        : c->mode == cudaStreamCaptureModeGlobal && thread_mode == cudaStreamCaptureModeGlobal;
    if (forbidden) error = end_capture_with(c, cudaErrorStreamCaptureUnsupported);
  }
  UNLOCKED;
  return error;
}

int work(cudaStream_t stream, const char *name, Kind kind, cudaError_t *error) {
  return work_of(stream, name, kind, 0, error);
}

int work_of(cudaStream_t stream, const char *name, Kind kind, size_t bytes, cudaError_t *error) {
  Stream *s = of(stream);
  if ((*error = fault())) return 1;
  LOCKED;
  int captured = s->state == CAPTURING;
  s->launched++;
  if (s->state == INVALID) *error = failed(cudaErrorStreamCaptureInvalidated);
  if (captured) s->capture->graph->nodes++;
  if (is_legacy(stream)) /* it waits for every stream that was not made to ignore it */
    for (Capture *c = captures; c; c = c->next)
      if (!(c->origin->flags & cudaStreamNonBlocking)) *error = end_capture_with(c, cudaErrorStreamCaptureImplicit);
  unsigned number = s->number;
  UNLOCKED;
  if (*error) return 1;
  note_of(name, kind, captured, number, bytes);
  return captured;
}

static cudaError_t in_capture(Stream *s) { /* what may not be asked of a capturing stream */
  LOCKED;
  cudaError_t error = s->state == INVALID     ? failed(cudaErrorStreamCaptureInvalidated)
                      : s->state == CAPTURING ? end_capture_with(s->capture, cudaErrorStreamCaptureUnsupported)
                                              : cudaSuccess;
  UNLOCKED;
  return error;
}

/* ---- streams ---- */
EXPORT cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority) {
  cudaError_t error = fault();
  Stream *s = error ? NULL : calloc(1, sizeof *s);
  if (!s) return error ? error : failed(cudaErrorMemoryAllocation);
  LOCKED;
  s->number = next_stream++;
  s->flags = flags;
  s->priority = priority;
  s->next = streams;
  streams = s;
  UNLOCKED;
  *out = (cudaStream_t)s;
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags) {
  return cudaStreamCreateWithPriority(out, flags, 0);
}
EXPORT cudaError_t cudaStreamCreate(cudaStream_t *out) { return cudaStreamCreateWithPriority(out, 0, 0); }
/* Streams and events stay in memory after their end: there are few, and events point to streams. */
EXPORT cudaError_t cudaStreamDestroy(cudaStream_t stream) { return cudaSuccess; }
EXPORT cudaError_t cudaStreamGetPriority(cudaStream_t stream, int *priority) {
  *priority = of(stream)->priority;
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  cudaError_t error = fault();
  if (error || (error = in_capture(of(stream)))) return error;
  note("cudaStreamSynchronize", WAIT, 0, of(stream)->number);
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamQuery(cudaStream_t stream) {
  cudaError_t error = fault();
  if (error || (error = in_capture(of(stream)))) return error;
  return unsafe();
}
EXPORT cudaError_t cudaDeviceSynchronize(void) {
  cudaError_t error = fault();
  if (error || (error = unsafe())) return error;
  note("cudaDeviceSynchronize", WAIT, 0, 0);
  return cudaSuccess;
}
EXPORT cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data) {
  cudaError_t error;
  if (!work(stream, "host function", COPY, &error)) function(data);
  return error;
}
EXPORT cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t function, void *data, unsigned flags) {
  function(stream, cudaSuccess, data);
  return cudaSuccess;
}

/* ---- capture ---- */
EXPORT cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) {
  enum cudaStreamCaptureMode before = thread_mode;
  thread_mode = *mode;
  *mode = before;
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
  enum State state = of(stream)->state;
  *status = state == CAPTURING ? cudaStreamCaptureStatusActive
            : state == INVALID ? cudaStreamCaptureStatusInvalidated
                               : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id,
                                            cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
                                            const cudaGraphEdgeData **edges, size_t *count) {
  Stream *s = of(stream);
  cudaStreamIsCapturing(stream, status);
  if (id) *id = s->state ? s->capture_id : 0;
  if (graph) *graph = s->state ? (cudaGraph_t)s->capture->graph : NULL;
  if (dependencies) *dependencies = NULL;
  if (edges) *edges = NULL;
  if (count) *count = 0;
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
  Stream *s = of(stream);
  cudaError_t error = fault();
  if (error) return error;
  if (is_legacy(stream)) return failed(cudaErrorStreamCaptureUnsupported);
  if (s->state) return failed(cudaErrorIllegalState);
  Capture *c = calloc(1, sizeof *c);
  Graph *g = calloc(1, sizeof *g);
  if (!c || !g) abort();
  LOCKED;
  *c = (Capture){.id = next_capture++, .origin = s, .mode = mode, .owner = pthread_self(), .graph = g, .next = captures};
  captures = c;
  s->state = CAPTURING;
  s->capture = c;
  s->capture_id = c->id;
  s->launched = s->joined = 0;
  UNLOCKED;
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
  Stream *s = of(stream);
  Capture *c = s->state ? s->capture : NULL;
  *out = NULL;
  if (!c || c->origin != s) return failed(cudaErrorIllegalState);
  cudaError_t error = fault();
  LOCKED;
  if (!error && c->mode != cudaStreamCaptureModeRelaxed && !pthread_equal(c->owner, pthread_self()))
    error = cudaErrorStreamCaptureWrongThread;
  if (!error && c->invalid) error = cudaErrorStreamCaptureInvalidated;
  for (Stream *o = streams; o; o = o->next) {
    if (o->capture != c) continue;
    if (!error && o != c->origin && o->joined < o->launched) error = cudaErrorStreamCaptureUnjoined;
    o->state = IDLE;
    o->capture = NULL;
  }
  Capture **place = &captures;
  while (*place != c) place = &(*place)->next;
  *place = c->next;
  if (error) free(c->graph);
  else *out = (cudaGraph_t)c->graph;
  free(c);
  UNLOCKED;
  return failed(error);
}
/* Parts of a graph that run on a condition, which torch offers and this cannot carry. */
EXPORT cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                                 const cudaGraphEdgeData *edges, size_t count,
                                                 enum cudaStreamCaptureMode mode) {
  return failed(cudaErrorNotSupported);
}
EXPORT cudaError_t cudaGraphAddNode(cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                    const cudaGraphEdgeData *edges, size_t count, struct cudaGraphNodeParams *parameters) {
  return failed(cudaErrorNotSupported);
}
EXPORT cudaError_t cudaGraphConditionalHandleCreate(cudaGraphConditionalHandle *out, cudaGraph_t graph, unsigned value,
                                                    unsigned flags) {
  return failed(cudaErrorNotSupported);
}
NOTHING(cudaStreamUpdateCaptureDependencies)

/* ---- graphs ---- */
EXPORT cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
  *count = graph ? ((Graph *)graph)->nodes : 0;
  return cudaSuccess;
}
EXPORT cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t *dependencies,
                                                cudaGraphEdgeData *edges, size_t *count) {
  *count = 0;
  return cudaSuccess;
}
EXPORT cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags) {
  cudaError_t error = fault();
  Graph *made = error ? NULL : malloc(sizeof *made);
  if (!made) return error ? error : failed(cudaErrorMemoryAllocation);
  *made = *(Graph *)graph;
  *out = (cudaGraphExec_t)made;
  return cudaSuccess;
}
EXPORT cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags) {
  return cudaGraphInstantiateWithFlags(out, graph, flags);
}
/* What a launch of a graph does to an event in it: its time is now. */
EXPORT void standin_stamp(void *event) {
  Event *e = event;
  e->milliseconds = now();
  e->recorded = 1;
  e->capture = 0;
}
EXPORT cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  Graph *g = (Graph *)graph;
  cudaError_t error;
  work(stream, "cudaGraphLaunch", GRAPH, &error);
  for (size_t i = 0; !error && i < g->count; i++) standin_stamp(g->events[i]);
  return error;
}
EXPORT cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  free(graph);
  return cudaSuccess;
}
EXPORT cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  free(graph);
  return cudaSuccess;
}
/* What a graph is asked to keep alive lives on for good. */
EXPORT cudaError_t cudaUserObjectCreate(cudaUserObject_t *out, void *object, cudaHostFn_t destroy, unsigned count,
                                        unsigned flags) {
  *out = (cudaUserObject_t)object;
  return cudaSuccess;
}
NOTHING(cudaUserObjectRelease)
NOTHING(cudaGraphRetainUserObject)

/* ---- events ---- */
EXPORT cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags) {
  cudaError_t error = fault();
  if (error) return error;
  *out = (cudaEvent_t)calloc(1, sizeof(Event));
  return *out ? cudaSuccess : failed(cudaErrorMemoryAllocation);
}
EXPORT cudaError_t cudaEventCreate(cudaEvent_t *out) { return cudaEventCreateWithFlags(out, 0); }
EXPORT cudaError_t cudaEventDestroy(cudaEvent_t event) {
  free(event);
  return cudaSuccess;
}
EXPORT cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
  Event *e = (Event *)event;
  Stream *s = of(stream);
  cudaError_t error = fault();
  if (error) return error;
  double time = now();
  LOCKED;
  if (s->state == INVALID) error = failed(cudaErrorStreamCaptureInvalidated);
  else if (s->state == CAPTURING && flags & cudaEventRecordExternal) { /* a node: nothing happens before a launch */
    Graph *g = s->capture->graph;
    g->events = realloc(g->events, (g->count + 1) * sizeof *g->events);
    if (!g->events) abort();
    g->events[g->count++] = e;
    g->nodes++;
  } else *e = (Event){time, 1, s->state ? s->capture_id : 0, s, s->launched};
  UNLOCKED;
  return error;
}
EXPORT cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, cudaEventRecordDefault);
}
EXPORT cudaError_t cudaEventQuery(cudaEvent_t event) {
  cudaError_t error = fault();
  if (error) return error;
  return ((Event *)event)->capture ? failed(cudaErrorCapturedEvent) : unsafe();
}
EXPORT cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  cudaError_t error = fault();
  if (error) return error;
  if (((Event *)event)->capture) return failed(cudaErrorCapturedEvent);
  note("cudaEventSynchronize", WAIT, 0, 0);
  return cudaSuccess;
}
EXPORT cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  Event *from = (Event *)begin, *to = (Event *)end;
  cudaError_t error = fault();
  if (error) return error;
  if (!from->recorded || !to->recorded || from->capture || to->capture) return failed(cudaErrorInvalidResourceHandle);
  *milliseconds = (float)(to->milliseconds - from->milliseconds);
  return cudaSuccess;
}
EXPORT cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  Stream *s = of(stream);
  Event *e = (Event *)event;
  cudaError_t error = fault();
  if (error || !e->recorded) return error;
  LOCKED;
  if (s->state == INVALID) {
    error = failed(cudaErrorStreamCaptureInvalidated);
  } else if (s->state == CAPTURING) {
    if (e->capture != s->capture_id) {
      if (e->stream != s) error = end_capture_with(s->capture, cudaErrorStreamCaptureIsolation);
    } else if (e->stream != s && e->launched > e->stream->joined) {
      e->stream->joined = e->launched;
    }
  } else if (e->capture) { /* it is drawn into the event's capture */
    Capture *c = captures;
    while (c && c->id != e->capture) c = c->next;
    if (!c) {
      error = failed(cudaErrorCapturedEvent);
    } else if (is_legacy(stream)) {
      error = end_capture_with(c, cudaErrorStreamCaptureImplicit);
    } else {
      s->state = c->invalid ? INVALID : CAPTURING;
      s->capture = c;
      s->capture_id = c->id;
      s->launched = 1; /* even if it launches nothing, it must join */
      s->joined = 0;
    }
  }
  UNLOCKED;
  return error;
}
