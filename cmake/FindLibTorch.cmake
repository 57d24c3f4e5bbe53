# LibTorch as PyPI ships it: the torch wheel and the nvidia-* wheels beside it.
#
# TorchConfig.cmake of a CUDA wheel demands an installed nvcc of the same version. The wheels already hold every header and
# library that the C++ API and ProcessGroupNCCL need, so this module takes them from there.
#
# Input:   MDL_VENV (a virtual environment) or LibTorch_ROOT (the wheel's folder `torch`)
# Defines: LibTorch::LibTorch, LibTorch_DIR, LibTorch_VERSION ("2.15.0"), LibTorch_FULL_VERSION ("2.15.0+cu132"), LibTorch_FLAVOUR ("cu132",
#          "cpu"), LibTorch_CUDA_FOUND and what CudaHeaders.cmake sets, LibTorch_NVIDIA_DIR (the folder `nvidia` of the nvidia-* wheels)
#          and LibTorch_NVIDIA_LIBS (its folders with libraries, relative to it)

include(CudaHeaders)
file(GLOB _torch_roots "${MDL_VENV}/lib/python3*/site-packages/torch")
find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          PATHS ${LibTorch_ROOT} ${_torch_roots} PATH_SUFFIXES include NO_DEFAULT_PATH)
if(LibTorch_INCLUDE_DIR)
  get_filename_component(LibTorch_DIR "${LibTorch_INCLUDE_DIR}" DIRECTORY)
  set(LibTorch_LIBRARY "${LibTorch_DIR}/lib/libtorch.so")
  file(STRINGS "${LibTorch_DIR}/version.py" _version REGEX "^(__version__|cuda)")
  string(REGEX MATCH "__version__ = '(([0-9]+\\.[0-9]+\\.[0-9]+)[^']*)'" _match "${_version}")
  set(LibTorch_FULL_VERSION "${CMAKE_MATCH_1}")
  set(LibTorch_VERSION "${CMAKE_MATCH_2}")
  set(LibTorch_FLAVOUR cpu)
  if(_version MATCHES "cuda[^=]*= '([0-9]+)\\.([0-9]+)")
    set(LibTorch_FLAVOUR "cu${CMAKE_MATCH_1}${CMAKE_MATCH_2}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_INCLUDE_DIR LibTorch_LIBRARY VERSION_VAR LibTorch_VERSION
                                  REASON_FAILURE_MESSAGE "no torch wheel in ${MDL_VENV} (run scripts/setup.sh)")

set(LibTorch_CUDA_FOUND OFF)
if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  get_filename_component(_site "${LibTorch_DIR}" DIRECTORY)
  set(LibTorch_NVIDIA_DIR "${_site}/nvidia")
  file(GLOB LibTorch_NVIDIA_LIBS RELATIVE "${LibTorch_NVIDIA_DIR}" "${LibTorch_NVIDIA_DIR}/*/lib")
  set(_nvidia_libs ${LibTorch_NVIDIA_LIBS})
  list(TRANSFORM _nvidia_libs PREPEND "${LibTorch_NVIDIA_DIR}/")
  if(EXISTS "${LibTorch_DIR}/lib/libtorch_cuda.so")
    mdl_find_cuda_headers("${_site}" "${LibTorch_FLAVOUR}")
    if(NOT LibTorch_CUDA_MISSING)
      set(LibTorch_CUDA_FOUND ON)
    endif()
  endif()

  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
    "${LibTorch_INCLUDE_DIR}" "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  target_compile_definitions(LibTorch::LibTorch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)
  target_link_libraries(LibTorch::LibTorch INTERFACE
    "${LibTorch_DIR}/lib/libtorch_cpu.so" "${LibTorch_DIR}/lib/libc10.so")
  # Where the loader finds them is CMake's affair (CMAKE_BUILD_RPATH, INSTALL_RPATH), and that of the wheels' own $ORIGIN. Without these
  # the linker resolves libtorch's own dependencies with whatever older NCCL or CUDA the system has.
  foreach(_dir IN LISTS _nvidia_libs ITEMS "${LibTorch_DIR}/lib")
    target_link_options(LibTorch::LibTorch INTERFACE "-L${_dir}" "-Wl,-rpath-link,${_dir}")
  endforeach()

  if(LibTorch_CUDA_FOUND)
    add_library(LibTorch::CUDA INTERFACE IMPORTED)
    target_include_directories(LibTorch::CUDA SYSTEM INTERFACE ${LibTorch_CUDA_INCLUDES})
    target_compile_definitions(LibTorch::CUDA INTERFACE USE_C10D_NCCL)
    # libtorch_cuda registers its kernels as it is loaded, so it must be linked even where no symbol of it is named; but a program with
    # the property MDL_LINKS_NO_CUDA gets none of these.
    set(_for_cuda -Wl,--no-as-needed "${LibTorch_DIR}/lib/libtorch_cuda.so" -Wl,--as-needed "${LibTorch_DIR}/lib/libc10_cuda.so"
        ${LibTorch_CUDA_LIBS})
    list(TRANSFORM _for_cuda REPLACE "(.+)" "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:MDL_LINKS_NO_CUDA>>>:\\1>")
    target_link_libraries(LibTorch::CUDA INTERFACE LibTorch::LibTorch ${_for_cuda})
  endif()
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR)
