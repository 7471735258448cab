/* What the files of the stand-in share: see ../README.md.

   One shared object takes the place of libcuda, libcudart and the parts of cuBLAS and cuDNN that torch calls. Device
   memory is host memory, copies are made, kernels and library calls are only noted. Every function that torch calls has
   the signature of NVIDIA's own header where that header can be read by gcc, so that another CUDA version with another
   layout is found when it is compiled. */
#ifndef STANDIN_H
#define STANDIN_H

#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "cuda_runtime_api.h"

#define EXPORT __attribute__((visibility("default")))
/* A function that has nothing to do here, whatever its arguments: 0 is success in every one of NVIDIA's libraries. */
#define NOTHING(name)                     \
  EXPORT int standin_##name(void) __asm__(#name); \
  EXPORT int standin_##name(void) { return 0; }

enum { MOST_DEVICES = 16 };

/* One lock guards all that threads share. It is recursive, and never held while Python is called. */
extern pthread_mutex_t standin_mutex;
#define LOCKED pthread_mutex_lock(&standin_mutex)
#define UNLOCKED pthread_mutex_unlock(&standin_mutex)

/* device.c */
extern __thread int current_device;
int device_count(void);
int physical(int device); /* its number before CUDA_VISIBLE_DEVICES */
cudaError_t failed(cudaError_t error); /* remembered as the thread's last error, and returned */
cudaError_t error_of(const char *name); /* cudaErrorUnknown for a name that is not in the table */

/* log.c */
typedef enum { KERNEL, LIBRARY, COPY, WAIT, GRAPH, MEMORY, KINDS } Kind;
void note(const char *name, Kind kind, int captured, unsigned stream);
void note_later(const char *name, Kind kind); /* what torch calls under a lock of its own */
extern long plantings;
int standin_context(int device); /* whether a call has met this device */
void note_of(const char *name, Kind kind, int captured, unsigned stream, size_t bytes); /* a copy of so many */
cudaError_t fault(void); /* the planted error once its time has come, else 0: asked by every call that meets the device */

/* stream.c */
int work(cudaStream_t stream, const char *name, Kind kind, cudaError_t *error);
int work_of(cudaStream_t stream, const char *name, Kind kind, size_t bytes, cudaError_t *error);
/* Something is launched on a stream. 0: it is to be done now; 1: it is captured, or an error keeps it from happening. */
cudaError_t unsafe(void);
/* A call that may wait or allocate: an error, which ends the capture, where this thread's mode forbids it now. */

#endif
