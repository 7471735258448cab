/* Memory of devices, which is host memory; copies, which are made. */
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef struct {
  char *start;
  size_t size;
  enum cudaMemoryType type;
  int device;
} Range;

static Range *ranges;
static size_t range_count, range_room;
static size_t used[MOST_DEVICES], limit[MOST_DEVICES]; /* bytes; a limit of 0 is the environment's */

enum { PAGE = 4096, FILLED = 64 << 20 };

/* ---- how much there is ---- */
size_t total_memory(int device) {
  const char *mib = getenv("STANDIN_MIB");
  if (device >= 0 && device < MOST_DEVICES && limit[device]) return limit[device];
  return (mib && *mib ? strtoull(mib, NULL, 10) : 80 << 10) << 20;
}

EXPORT void standin_limit(int device, size_t bytes) {
  if (device >= 0 && device < MOST_DEVICES) limit[device] = bytes;
}
EXPORT size_t standin_used(int device) { return device >= 0 && device < MOST_DEVICES ? used[device] : 0; }

EXPORT cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total) {
  cudaError_t error = fault();
  if (error) return error;
  LOCKED;
  *total = total_memory(current_device);
  *free_bytes = *total > used[current_device] ? *total - used[current_device] : 0;
  UNLOCKED;
  return cudaSuccess;
}

/* ---- allocation ---- */
static void add_range(void *start, size_t size, enum cudaMemoryType type) {
  LOCKED;
  if (range_count == range_room) {
    range_room = range_room ? 2 * range_room : 1024;
    ranges = realloc(ranges, range_room * sizeof *ranges);
    if (!ranges) abort();
  }
  ranges[range_count++] = (Range){start, size, type, current_device};
  if (type == cudaMemoryTypeDevice) used[current_device] += size;
  UNLOCKED;
}

static int drop_range(void *start, Range *dropped) {
  int found = 0;
  LOCKED;
  for (size_t i = 0; i < range_count && !found; i++)
    if (ranges[i].start == start) {
      *dropped = ranges[i];
      ranges[i] = ranges[--range_count];
      if (dropped->type == cudaMemoryTypeDevice) used[dropped->device] -= dropped->size;
      found = 1;
    }
  UNLOCKED;
  return found;
}

static int range_of(const void *place, Range *found) {
  int known = 0;
  LOCKED;
  for (size_t i = 0; i < range_count && !known; i++)
    if ((const char *)place >= ranges[i].start && (const char *)place < ranges[i].start + ranges[i].size) {
      *found = ranges[i];
      known = 1;
    }
  UNLOCKED;
  return known;
}

EXPORT cudaError_t cudaMalloc(void **start, size_t bytes) {
  cudaError_t error = fault();
  if (error || (error = unsafe())) return error;
  size_t size = (bytes + PAGE - 1) / PAGE * PAGE;
  LOCKED;
  int full = used[current_device] + size > total_memory(current_device);
  UNLOCKED;
  void *memory = full ? MAP_FAILED
                      : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return failed(cudaErrorMemoryAllocation);
  /* NaN, or -1: what nobody has written is seen. Large blocks stay as they are, or every page of them would be taken. */
  if (size <= FILLED) memset(memory, 0xFF, size);
  add_range(memory, size, cudaMemoryTypeDevice);
  note_later("cudaMalloc", MEMORY);
  *start = memory;
  return cudaSuccess;
}

EXPORT cudaError_t cudaFree(void *start) {
  Range range;
  cudaError_t error = fault();
  if (error || !start) return error; /* freeing nothing is the idiom that makes a context */
  if ((error = unsafe())) return error;
  if (!drop_range(start, &range)) return failed(cudaErrorInvalidValue);
  munmap(start, range.size);
  note_later("cudaFree", WAIT); /* it waits for the device */
  return cudaSuccess;
}

EXPORT cudaError_t cudaHostAlloc(void **start, size_t bytes, unsigned flags) {
  cudaError_t error = fault();
  if (error || (error = unsafe())) return error;
  if (posix_memalign(start, PAGE, bytes ? bytes : 1)) return failed(cudaErrorMemoryAllocation);
  add_range(*start, bytes ? bytes : 1, cudaMemoryTypeHost);
  note_later("cudaHostAlloc", MEMORY);
  return cudaSuccess;
}
EXPORT cudaError_t cudaMallocHost(void **start, size_t bytes) { return cudaHostAlloc(start, bytes, 0); }
EXPORT cudaError_t cudaFreeHost(void *start) {
  Range range;
  if (!drop_range(start, &range)) return failed(cudaErrorInvalidValue);
  free(start);
  return cudaSuccess;
}
EXPORT cudaError_t cudaHostRegister(void *start, size_t bytes, unsigned flags) {
  add_range(start, bytes, cudaMemoryTypeHost);
  return cudaSuccess;
}
EXPORT cudaError_t cudaHostUnregister(void *start) {
  Range range;
  return drop_range(start, &range) ? cudaSuccess : failed(cudaErrorInvalidValue);
}

EXPORT cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *place) {
  Range range;
  memset(attributes, 0, sizeof *attributes);
  attributes->type = cudaMemoryTypeUnregistered;
  attributes->device = -2;
  if (range_of(place, &range)) {
    attributes->type = range.type;
    attributes->device = range.device;
    attributes->devicePointer = (void *)place;
    if (range.type == cudaMemoryTypeHost) attributes->hostPointer = (void *)place;
  }
  return cudaSuccess;
}

/* ---- copies ---- */
static const char *copy_name(enum cudaMemcpyKind kind, const void *to, const void *from) {
  Range range;
  switch (kind) {
    case cudaMemcpyHostToDevice: return range_of(from, &range) ? "copy to device" : "copy to device, pageable";
    case cudaMemcpyDeviceToHost: return range_of(to, &range) ? "copy to host" : "copy to host, pageable";
    case cudaMemcpyDeviceToDevice: return "copy on device";
    default: return "copy";
  }
}

EXPORT cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) {
  cudaError_t error;
  if (!work_of(stream, copy_name(kind, to, from), COPY, bytes, &error)) memmove(to, from, bytes);
  return error;
}

EXPORT cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                                     size_t height, enum cudaMemcpyKind kind, cudaStream_t stream) {
  cudaError_t error;
  if (!work_of(stream, copy_name(kind, to, from), COPY, width * height, &error))
    for (size_t row = 0; row < height; row++)
      memmove((char *)to + row * to_pitch, (const char *)from + row * from_pitch, width);
  return error;
}

EXPORT cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes,
                                       cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
}

EXPORT cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
  cudaError_t error = fault();
  if (error || (error = unsafe())) return error;
  note("cudaMemcpy", WAIT, 0, 0);
  memmove(to, from, bytes);
  return cudaSuccess;
}

EXPORT cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  cudaError_t error;
  if (!work(stream, "set", COPY, &error)) memset(to, value, bytes);
  return error;
}

EXPORT cudaError_t cudaMemset(void *to, int value, size_t bytes) {
  cudaError_t error = fault();
  if (error || (error = unsafe())) return error;
  memset(to, value, bytes);
  return cudaSuccess;
}

/* Variables of kernels, which never run: where they lie is nobody's business. */
EXPORT cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *from, size_t bytes, size_t offset,
                                      enum cudaMemcpyKind kind) {
  return cudaSuccess;
}
EXPORT cudaError_t cudaGetSymbolAddress(void **place, const void *symbol) {
  static char some[1 << 20];
  *place = some;
  return cudaSuccess;
}

/* Memory pools, which a device without them (device.c) never has to fill. */
EXPORT cudaError_t cudaMallocAsync(void **start, size_t bytes, cudaStream_t stream) { return failed(cudaErrorNotSupported); }
EXPORT cudaError_t cudaFreeAsync(void *start, cudaStream_t stream) { return failed(cudaErrorNotSupported); }
EXPORT cudaError_t cudaMallocManaged(void **start, size_t bytes, unsigned flags) { return failed(cudaErrorNotSupported); }
EXPORT cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device) {
  *pool = NULL;
  return cudaSuccess;
}
NOTHING(cudaMemPoolSetAttribute)
NOTHING(cudaMemPoolGetAttribute)
NOTHING(cudaMemPoolSetAccess)
NOTHING(cudaMemPoolTrimTo)
NOTHING(cudaDeviceGetGraphMemAttribute)
NOTHING(cudaDeviceSetGraphMemAttribute)
