# LibTorch as PyPI ships it: the torch wheel and the nvidia-* wheels beside it.
#
# TorchConfig.cmake of a CUDA wheel demands an installed nvcc of the same version. The wheels already hold every header and
# library that the C++ API and ProcessGroupNCCL need, so this module takes them from there.
#
# Input:   MDL_VENV (a virtual environment) or LibTorch_ROOT (the wheel's folder `torch`)
# Defines: LibTorch::LibTorch, LibTorch_DIR, LibTorch_VERSION, LibTorch_CUDA_FOUND

file(GLOB _torch_roots "${MDL_VENV}/lib/python3*/site-packages/torch")
find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          PATHS ${LibTorch_ROOT} ${_torch_roots} PATH_SUFFIXES include NO_DEFAULT_PATH)
if(LibTorch_INCLUDE_DIR)
  get_filename_component(LibTorch_DIR "${LibTorch_INCLUDE_DIR}" DIRECTORY)
  set(LibTorch_LIBRARY "${LibTorch_DIR}/lib/libtorch.so")
  file(STRINGS "${LibTorch_DIR}/version.py" _version REGEX "^__version__")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${_version}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_INCLUDE_DIR LibTorch_LIBRARY VERSION_VAR LibTorch_VERSION
                                  REASON_FAILURE_MESSAGE "no torch wheel in ${MDL_VENV} (run scripts/setup.sh)")

set(LibTorch_CUDA_FOUND OFF)
if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  get_filename_component(_site "${LibTorch_DIR}" DIRECTORY)
  file(GLOB _nvidia_libs "${_site}/nvidia/*/lib")
  if(EXISTS "${LibTorch_DIR}/lib/libtorch_cuda.so" AND EXISTS "${_site}/nvidia/nccl/include/nccl.h")
    # cuda_runtime.h of nvidia-cuda-runtime includes this file of nvidia-cuda-crt.
    file(GLOB _cuda_include "${_site}/nvidia/cu*/include/crt/host_config.h")
    if(_cuda_include)
      get_filename_component(_cuda_include "${_cuda_include}" DIRECTORY)
      get_filename_component(_cuda_include "${_cuda_include}" DIRECTORY)
      set(LibTorch_CUDA_FOUND ON)
    endif()
  endif()

  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
    "${LibTorch_INCLUDE_DIR}" "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  target_compile_definitions(LibTorch::LibTorch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)
  target_link_libraries(LibTorch::LibTorch INTERFACE
    "${LibTorch_DIR}/lib/libtorch_cpu.so" "${LibTorch_DIR}/lib/libc10.so")
  target_link_options(LibTorch::LibTorch INTERFACE "-Wl,-rpath,${LibTorch_DIR}/lib")
  # Without these the linker resolves libtorch's own dependencies with whatever older NCCL or CUDA the system has.
  foreach(_dir IN LISTS _nvidia_libs)
    target_link_options(LibTorch::LibTorch INTERFACE "-L${_dir}" "-Wl,-rpath,${_dir}" "-Wl,-rpath-link,${_dir}")
  endforeach()

  if(LibTorch_CUDA_FOUND)
    add_library(LibTorch::CUDA INTERFACE IMPORTED)
    target_include_directories(LibTorch::CUDA SYSTEM INTERFACE "${_site}/nvidia/nccl/include" "${_cuda_include}")
    target_compile_definitions(LibTorch::CUDA INTERFACE USE_C10D_NCCL)
    file(GLOB _nccl "${_site}/nvidia/nccl/lib/libnccl.so.*")
    file(GLOB _cudart "${_site}/nvidia/cu*/lib/libcudart.so.*")
    # libtorch_cuda registers its kernels as it is loaded, so it must be linked even where no symbol of it is named.
    target_link_libraries(LibTorch::CUDA INTERFACE LibTorch::LibTorch -Wl,--no-as-needed
      "${LibTorch_DIR}/lib/libtorch_cuda.so" -Wl,--as-needed "${LibTorch_DIR}/lib/libc10_cuda.so" ${_nccl} ${_cudart})
  endif()
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR)
