/* Kernels, which are registered by name when torch's libraries are loaded and are only noted when they are launched;
   and the driver's functions. */
#include "standin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- registration: a table with open addressing, from the function's address to its mangled name ---- */
typedef struct {
  const void *function;
  const char *name;
} Kernel;

enum { SLOT_BITS = 20, SLOTS = 1 << SLOT_BITS }; /* torch has about a tenth as many */
static Kernel *kernels;
static size_t kernel_count;

static Kernel *slot(const void *function) {
  size_t at = ((size_t)function >> 3) * 0x9E3779B97F4A7C15ull >> (64 - SLOT_BITS);
  while (kernels[at].function && kernels[at].function != function) at = (at + 1) & (SLOTS - 1);
  return &kernels[at];
}

EXPORT void **__cudaRegisterFatBinary(void *binary) {
  static void *handle;
  return &handle;
}
EXPORT void __cudaRegisterFatBinaryEnd(void **handle) {}
EXPORT void __cudaUnregisterFatBinary(void **handle) {}
EXPORT void __cudaRegisterVar(void) {}
EXPORT void __cudaRegisterFunction(void **handle, const char *function, char *device_function, const char *name, int limit,
                                   void *thread, void *block, void *block_size, void *grid_size, int *warp) {
  LOCKED;
  if (!kernels) kernels = calloc(SLOTS, sizeof *kernels);
  if (kernels && kernel_count < SLOTS / 2) {
    Kernel *place = slot(function);
    if (!place->function) {
      *place = (Kernel){function, name};
      kernel_count++;
    }
  }
  UNLOCKED;
}

static const char *name_of(const void *function) {
  const char *name = kernels ? slot(function)->name : NULL;
  return name ? name : "kernel";
}

EXPORT cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function) {
  memset(attributes, 0, sizeof *attributes);
  attributes->maxThreadsPerBlock = 1024;
  attributes->numRegs = 32;
  attributes->ptxVersion = attributes->binaryVersion = 90;
  attributes->maxDynamicSharedSizeBytes = 227 << 10;
  return cudaSuccess;
}
EXPORT cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value) {
  return cudaSuccess;
}
EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int size, size_t shared) {
  *blocks = size > 0 && size <= 2048 ? 2048 / size : 1;
  return cudaSuccess;
}
EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function, int size,
                                                                          size_t shared, unsigned flags) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, size, shared);
}

/* ---- launches ---- */
static cudaError_t launch(const char *name, cudaStream_t stream) {
  cudaError_t error;
  work(stream, name, KERNEL, &error);
  return error;
}
EXPORT cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                                    cudaStream_t stream) {
  return launch(name_of(function), stream);
}
EXPORT cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *function, void **arguments) {
  return launch(name_of(function), config->stream);
}
EXPORT cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
  *kernel = (cudaKernel_t)function;
  return cudaSuccess;
}
EXPORT cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                                      cudaStream_t stream) {
  return launch(name_of(kernel), stream);
}
NOTHING(cudaKernelSetAttributeForDevice)

static __thread struct {
  dim3 grid, block;
  size_t shared;
  void *stream;
} pushed; /* between the two calls that <<<grid, block>>> becomes */
EXPORT unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream) {
  pushed.grid = grid;
  pushed.block = block;
  pushed.shared = shared;
  pushed.stream = stream;
  return 0;
}
EXPORT cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
  *grid = pushed.grid;
  *block = pushed.block;
  *shared = pushed.shared;
  *(void **)stream = pushed.stream;
  return cudaSuccess;
}

/* What Python notes for an operation whose kernels it does not let run; see numbers.py. */
EXPORT int standin_work(const char *name, void *stream) {
  cudaError_t error;
  work((cudaStream_t)stream, name, LIBRARY, &error);
  return error;
}

/* ---- the driver ---- */
EXPORT int cuInit(unsigned flags) { return device_count() ? 0 : cudaErrorNoDevice; }
EXPORT int cuDriverGetVersion(int *version) { return cudaDriverGetVersion(version); }
EXPORT int cuDeviceGet(int *device, int number) {
  *device = number;
  return 0;
}
EXPORT int cuDeviceGetCount(int *count) {
  *count = device_count();
  return 0;
}
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device) {
  return cudaDeviceGetAttribute(value, (enum cudaDeviceAttr)attribute, device);
}
EXPORT int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *is_active) {
  *flags = 0;
  *is_active = standin_context(device);
  return 0;
}
EXPORT int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = (void *)1;
  return 0;
}
EXPORT int cuCtxGetCurrent(void **context) {
  *context = (void *)1;
  return 0;
}
EXPORT int cuCtxSetCurrent(void *context) { return 0; }
EXPORT int cuCtxGetDevice(int *device) {
  *device = current_device;
  return 0;
}
EXPORT int cuGetErrorString(int error, const char **text) {
  *text = cudaGetErrorString((cudaError_t)error); /* the two count errors alike */
  return 0;
}
EXPORT int cuPointerGetAttribute(void *data, int attribute, void *place) { return cudaErrorNotSupported; }
EXPORT int cuModuleGetFunction(void **function, void *module, const char *name) {
  *function = strdup(name);
  return *function ? 0 : cudaErrorMemoryAllocation;
}
EXPORT int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                          unsigned block_y, unsigned block_z, unsigned shared, void *stream, void **arguments, void **extra) {
  return launch(function ? function : "kernel", stream);
}
typedef struct {
  unsigned grid[3], block[3], shared;
  void *stream;
} LaunchConfig;
EXPORT int cuLaunchKernelEx(const LaunchConfig *config, void *function, void **arguments, void **extra) {
  return launch(function ? function : "kernel", config->stream);
}
NOTHING(cuCtxGetLimit)
NOTHING(cuCtxSetLimit)
NOTHING(cuFuncGetAttribute)
NOTHING(cuFuncSetAttribute)
NOTHING(cuFuncSetCacheConfig)
NOTHING(cuLinkAddData_v2)
NOTHING(cuLinkComplete)
NOTHING(cuLinkCreate_v2)
NOTHING(cuModuleLoad)
NOTHING(cuModuleLoadData)
NOTHING(cuModuleLoadDataEx)
NOTHING(cuModuleUnload)
NOTHING(cuOccupancyMaxActiveBlocksPerMultiprocessor)
NOTHING(cuTensorMapEncodeTiled)
NOTHING(cuLaunchCooperativeKernel)
NOTHING(cuStreamIsCapturing)

/* torch asks for many of the driver's functions at once and uses few of them; one that is not here fails when called. */
static int not_here(void) { return cudaErrorNotSupported; }
EXPORT cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version,
                                                    unsigned long long flags, enum cudaDriverEntryPointQueryResult *found) {
  *function = dlsym(RTLD_DEFAULT, name);
  if (!*function) *function = (void *)not_here;
  if (found) *found = cudaDriverEntryPointSuccess;
  return cudaSuccess;
}
