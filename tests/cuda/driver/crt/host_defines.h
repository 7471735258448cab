/* What gcc needs of NVIDIA's crt/host_defines.h, which torch's wheels do not bring, to read the runtime's headers. */
#ifndef STANDIN_HOST_DEFINES
#define STANDIN_HOST_DEFINES
#define CUDARTAPI
#define CUDARTAPI_CDECL
#define __host__
#define __device__
#define __global__
#define __device_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cudart_builtin__
#define __builtin_align__(n) __attribute__((aligned(n)))
#define __align__(n) __attribute__((aligned(n)))
#define __specialization_static static
#define __no_return__ __attribute__((noreturn))
#define __forceinline__ __inline__ __attribute__((always_inline))
#define CUDA_CDP_DEPRECATED
#endif
