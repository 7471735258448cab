/* Devices, their properties and errors. */
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>

static int number(const char *variable, int otherwise) {
  const char *text = getenv(variable);
  return text && *text ? atoi(text) : otherwise;
}

/* ---- errors ---- */
static const struct {
  cudaError_t error;
  const char *name, *text;
} errors[] = {
#define ERROR(name, text) {name, #name, text}
    ERROR(cudaSuccess, "no error"),
    ERROR(cudaErrorInvalidValue, "invalid argument"),
    ERROR(cudaErrorMemoryAllocation, "out of memory"),
    ERROR(cudaErrorInitializationError, "initialization error"),
    ERROR(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    ERROR(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable"),
    ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    ERROR(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered"),
    ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    ERROR(cudaErrorNotReady, "device not ready"),
    ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    ERROR(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    ERROR(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    ERROR(cudaErrorAssert, "device-side assert triggered"),
    ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    ERROR(cudaErrorNotSupported, "operation not supported"),
    ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    ERROR(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    ERROR(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    ERROR(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream"),
    ERROR(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing blocking stream"),
    ERROR(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
    ERROR(cudaErrorStreamCaptureWrongThread, "attempt to terminate a thread-local capture sequence from another thread"),
    ERROR(cudaErrorUnknown, "unknown error"),
#undef ERROR
};
enum { ERRORS = sizeof errors / sizeof *errors };

static __thread cudaError_t last_error;
static __thread long last_plantings;

cudaError_t failed(cudaError_t error) {
  if (error) last_error = error;
  last_plantings = plantings;
  return error;
}

/* An error that was planted is gone with what planted it, in threads that never heard of it as well. */
static cudaError_t the_last_error(void) { return last_plantings == plantings ? last_error : cudaSuccess; }

cudaError_t error_of(const char *name) {
  for (int i = 0; i < ERRORS; i++)
    if (!strcmp(errors[i].name, name)) return errors[i].error;
  return cudaErrorUnknown;
}

EXPORT const char *cudaGetErrorString(cudaError_t error) {
  for (int i = 0; i < ERRORS; i++)
    if (errors[i].error == error) return errors[i].text;
  return "unrecognized error code";
}

EXPORT const char *cudaGetErrorName(cudaError_t error) {
  for (int i = 0; i < ERRORS; i++)
    if (errors[i].error == error) return errors[i].name;
  return "unrecognized error code";
}

EXPORT cudaError_t cudaPeekAtLastError(void) { return the_last_error(); }
EXPORT cudaError_t cudaGetLastError(void) {
  cudaError_t error = the_last_error();
  last_error = cudaSuccess;
  return error;
}

/* ---- which devices there are ---- */
__thread int current_device;
static int visible[MOST_DEVICES], visible_count;
static pthread_once_t counted = PTHREAD_ONCE_INIT;

/* As the driver reads CUDA_VISIBLE_DEVICES: numbers, up to the first that is not a device's. */
static void count_devices(void) {
  int there = number("STANDIN_DEVICES", 1);
  if (there > MOST_DEVICES) there = MOST_DEVICES;
  const char *chosen = getenv("CUDA_VISIBLE_DEVICES");
  if (!chosen) {
    for (; visible_count < there; visible_count++) visible[visible_count] = visible_count;
    return;
  }
  while (*chosen && visible_count < MOST_DEVICES) {
    char *end;
    long device = strtol(chosen, &end, 10);
    if (end == chosen || device < 0 || device >= there) return;
    visible[visible_count++] = (int)device;
    if (*end != ',') return;
    chosen = end + 1;
  }
}

int device_count(void) {
  pthread_once(&counted, count_devices);
  return visible_count;
}

int physical(int device) { return device < device_count() ? visible[device] : device; }

EXPORT cudaError_t cudaGetDeviceCount(int *count) {
  *count = device_count();
  return *count ? cudaSuccess : failed(cudaErrorNoDevice);
}
EXPORT cudaError_t cudaGetDevice(int *device) {
  *device = current_device;
  return cudaSuccess;
}
EXPORT cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= device_count()) return failed(cudaErrorInvalidDevice);
  current_device = device;
  return fault();
}
EXPORT cudaError_t cudaDriverGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
EXPORT cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

/* ---- what a device looks like: an H100, unless the environment says otherwise ---- */
size_t total_memory(int device);

EXPORT cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
  if (device < 0 || device >= device_count()) return failed(cudaErrorInvalidDevice);
  int capability = number("STANDIN_CAPABILITY", 90);
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "Stand-in GPU %d", physical(device));
  p->uuid.bytes[0] = (char)(physical(device) + 1);
  p->pciBusID = physical(device) + 1;
  p->totalGlobalMem = total_memory(device);
  p->major = capability / 10;
  p->minor = capability % 10;
  p->multiProcessorCount = number("STANDIN_SMS", 132);
  p->warpSize = 32;
  p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = p->memPitch = 2147483647;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->maxThreadsPerMultiProcessor = 2048;
  p->maxBlocksPerMultiProcessor = 32;
  p->sharedMemPerBlock = 48 << 10;
  p->sharedMemPerBlockOptin = 227 << 10;
  p->sharedMemPerMultiprocessor = 228 << 10;
  p->regsPerBlock = p->regsPerMultiprocessor = p->totalConstMem = 65536;
  p->l2CacheSize = 50 << 20;
  p->memoryBusWidth = 5120;
  p->textureAlignment = 512;
  p->canMapHostMemory = p->concurrentKernels = p->unifiedAddressing = p->cooperativeLaunch = 1;
  return cudaSuccess;
}

EXPORT cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
  struct cudaDeviceProp p;
  cudaError_t error = cudaGetDeviceProperties(&p, device);
  if (error) return error;
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
    case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
    case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
    case cudaDevAttrMaxBlockDimX: *value = p.maxThreadsDim[0]; break;
    case cudaDevAttrMaxBlockDimY: *value = p.maxThreadsDim[1]; break;
    case cudaDevAttrMaxBlockDimZ: *value = p.maxThreadsDim[2]; break;
    case cudaDevAttrMaxGridDimX: *value = p.maxGridSize[0]; break;
    case cudaDevAttrMaxGridDimY: *value = p.maxGridSize[1]; break;
    case cudaDevAttrMaxGridDimZ: *value = p.maxGridSize[2]; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = (int)p.sharedMemPerBlock; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = (int)p.sharedMemPerBlockOptin; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = (int)p.sharedMemPerMultiprocessor; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
    case cudaDevAttrMaxRegistersPerBlock: *value = p.regsPerBlock; break;
    case cudaDevAttrMaxRegistersPerMultiprocessor: *value = p.regsPerMultiprocessor; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: *value = p.maxBlocksPerMultiProcessor; break;
    case cudaDevAttrWarpSize: *value = p.warpSize; break;
    case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
    case cudaDevAttrTextureAlignment: *value = (int)p.textureAlignment; break;
    case cudaDevAttrCooperativeLaunch:
    case cudaDevAttrUnifiedAddressing: *value = 1; break;
    default: *value = 0; /* a feature that it does not have, such as memory pools */
  }
  return cudaSuccess;
}

EXPORT cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int device) {
  snprintf(text, (size_t)size, "0000:%02x:00.0", physical(device) + 1);
  return cudaSuccess;
}
EXPORT cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int other) {
  *can = 0;
  return cudaSuccess;
}
EXPORT cudaError_t cudaDeviceEnablePeerAccess(int device, unsigned flags) { return failed(cudaErrorNotSupported); }
EXPORT cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return cudaSuccess;
}
EXPORT cudaError_t cudaProfilerStart(void) { return cudaSuccess; }
EXPORT cudaError_t cudaProfilerStop(void) { return cudaSuccess; }
