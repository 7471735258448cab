/* What torch calls of cuBLAS and cuDNN: their work is noted, nothing is computed.

   Their handles know the stream that they work on; a call that names no stream is noted on that one. cuDNN's other half,
   the one for convolutions, is not here: numbers.py keeps torch from calling it. */
#include "standin.h"

/* cuBLAS: torch makes one handle for each thread and stream, so the thread's last cublasSetStream tells. */
static __thread void *blas_stream, *dnn_stream;

#define BLAS(name)                             \
  EXPORT int name(void) {                      \
    cudaError_t error;                         \
    work(blas_stream, #name, LIBRARY, &error); \
    return error ? 13 /* execution failed */ : 0; \
  }
#define DNN(name)                             \
  EXPORT int name(void) {                     \
    cudaError_t error;                        \
    work(dnn_stream, #name, LIBRARY, &error); \
    return error ? 5000 /* execution failed */ : 0; \
  }

EXPORT int cublasCreate_v2(void **handle) {
  *handle = (void *)0x10;
  return 0;
}
EXPORT int cublasSetStream_v2(void *handle, void *stream) {
  blas_stream = stream;
  return 0;
}
EXPORT int cublasGetMathMode(void *handle, int *mode) {
  *mode = 0;
  return 0;
}
EXPORT int cublasGetPointerMode_v2(void *handle, int *mode) {
  *mode = 0;
  return 0;
}
NOTHING(cublasDestroy_v2)
NOTHING(cublasSetMathMode)
NOTHING(cublasSetPointerMode_v2)
NOTHING(cublasSetWorkspace_v2)
NOTHING(cublasSetSmCountTarget)
BLAS(cublasGemmEx)
BLAS(cublasGemmStridedBatchedEx)
BLAS(cublasSgemm_v2)
BLAS(cublasDgemm_v2)
BLAS(cublasSgemmEx)
BLAS(cublasSgemmStridedBatched)
BLAS(cublasDgemmStridedBatched)
BLAS(cublasSgemv_v2)
BLAS(cublasDgemv_v2)
BLAS(cublasDotEx)
BLAS(cublasSdot_v2)
BLAS(cublasDdot_v2)

/* cublasLtMatmul(handle, description, alpha, A, Alayout, B, Blayout, beta, C, Clayout, D, Dlayout, algorithm, workspace,
   size, stream) */
EXPORT int cublasLtMatmul(void *handle, void *description, const void *alpha, const void *a, void *a_layout, const void *b,
                          void *b_layout, const void *beta, const void *c, void *c_layout, void *d, void *d_layout,
                          const void *algorithm, void *workspace, size_t size, void *stream) {
  cudaError_t error;
  work(stream, "cublasLtMatmul", LIBRARY, &error);
  return error ? 13 : 0;
}
EXPORT int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c, void *d, void *preference,
                                          int wanted, void *results, int *found) {
  memset(results, 0, 64); /* an algorithm that needs no workspace */
  *found = 1;
  return 0;
}

EXPORT int cudnnCreate(void **handle) {
  *handle = (void *)0x20;
  return 0;
}
EXPORT int cudnnSetStream(void *handle, void *stream) {
  dnn_stream = stream;
  return 0;
}
EXPORT int cudnnGetStream(void *handle, void **stream) {
  *stream = dnn_stream;
  return 0;
}
NOTHING(cudnnDestroy)
DNN(cudnnBatchNormalizationForwardTrainingEx)
DNN(cudnnBatchNormalizationBackwardEx)
DNN(cudnnBatchNormalizationForwardInference)
EXPORT int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(void *handle, int mode, int operations, void *x, void *z,
                                                                    void *y, void *scale, void *activation, size_t *size) {
  *size = 0;
  return 0;
}
EXPORT int cudnnGetBatchNormalizationBackwardExWorkspaceSize(void *handle, int mode, int operations, void *x, void *y,
                                                             void *dy, void *dz, void *dx, void *scale, void *activation,
                                                             size_t *size) {
  *size = 0;
  return 0;
}
EXPORT int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(void *handle, int mode, int operations, void *activation,
                                                                void *x, size_t *size) {
  *size = 0;
  return 0;
}
