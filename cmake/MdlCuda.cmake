# Whether mdl-toolkit is built with CUDA: the option MDL_WITH_CUDA, which is ON or OFF behind this. What is missing for that stops the
# configuration, as a program that trains on the CPU of a machine with GPUs is not what anybody wants. Needs find_package(LibTorch).

set(MDL_WITH_CUDA AUTO CACHE STRING "Build the CUDA and NCCL parts of mdl-toolkit: ON, OFF, or AUTO, where LibTorch has it")
set(_why_not "")
if(NOT MDL_WITH_CUDA)
  set(_why_not "MDL_WITH_CUDA=OFF")
elseif(LibTorch_FLAVOUR MATCHES "^cu" OR EXISTS "${LibTorch_DIR}/lib/libtorch_cuda.so")
  if(NOT LibTorch_CUDA_FOUND)
    list(JOIN LibTorch_CUDA_MISSING ", " _missing)
    message(FATAL_ERROR "LibTorch ${LibTorch_FULL_VERSION} in ${LibTorch_DIR} has CUDA, but for building with it these are missing: "
                        "${_missing}. Install the packages in brackets with pip beside it (scripts/setup.sh does), or a CUDA toolkit of that "
                        "version and set CUDA_HOME; or configure with -DMDL_WITH_CUDA=OFF for a program that computes on CPUs only.")
  endif()
elseif(NOT MDL_WITH_CUDA STREQUAL "AUTO")
  message(FATAL_ERROR "MDL_WITH_CUDA=ON, but LibTorch ${LibTorch_FULL_VERSION} in ${LibTorch_DIR} has no CUDA (libtorch_cuda.so). Install one "
                      "that has it, or configure with -DMDL_WITH_CUDA=OFF.")
else()
  set(_why_not "LibTorch ${LibTorch_FULL_VERSION} has no CUDA")
endif()

if(NOT _why_not)
  set(MDL_WITH_CUDA ON)
  list(JOIN LibTorch_CUDA_INCLUDES ", " _includes)
  message(STATUS "CUDA: yes (LibTorch ${LibTorch_FULL_VERSION}; headers in ${_includes})")
else()
  set(MDL_WITH_CUDA OFF)
  message(STATUS "CUDA: no, because ${_why_not}")
endif()
