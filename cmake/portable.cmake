# A toolchain for mdl-launch that starts on every Linux with glibc 2.28 or newer, for this machine's kind of processor or another:
# presets `portable` (x86-64) and `portable-aarch64`. GCC 12 compiles and links against the C library of Debian 11, which
# scripts/package/sysroot.sh fetches; what GCC's static run-time library expects of a newer one stands in newer_libc.cpp.
# docs/portability.md says why in this way.
set(MDL_PORTABLE x86_64 CACHE STRING "The processor: x86_64 or aarch64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MDL_PORTABLE)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${MDL_PORTABLE})
set(triplet ${MDL_PORTABLE}-linux-gnu)
set(CMAKE_CXX_COMPILER ${triplet}-g++-12)
set(CMAKE_LIBRARY_ARCHITECTURE ${triplet})

get_filename_component(source "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)
set(CMAKE_SYSROOT "${source}/build/sysroot/${MDL_PORTABLE}")
if(NOT EXISTS "${CMAKE_SYSROOT}/.made-of")
  message(FATAL_ERROR "There is no ${CMAKE_SYSROOT}. Run scripts/package/sysroot.sh ${MDL_PORTABLE}")
endif()
foreach(kind LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# A compiler for another processor looks for the C++ headers where a system has them that is not of that processor.
set(headers "${CMAKE_SYSROOT}/usr/include")
# The folder of the sources stands in no file that is the same for everybody.
set(CMAKE_CXX_FLAGS_INIT "-ffile-prefix-map=${source}/= -nostdinc++ -isystem ${headers}/c++/12 -isystem ${headers}/${triplet}/c++/12 -isystem ${headers}/c++/12/backward")
# Debian's compiler for another processor looks in its own C library's headers first, which are this machine's age.
if(NOT MDL_PORTABLE STREQUAL CMAKE_HOST_SYSTEM_PROCESSOR)
  string(APPEND CMAKE_CXX_FLAGS_INIT " -isystem ${headers}/${triplet} -isystem ${headers}")
endif()
# The compiler's own folders would come first otherwise, and beside them lies this machine's C library. In unwinder/ lies Debian 11's
# libgcc_eh.a: the compiler's asks the C library for _dl_find_object (glibc 2.35).
set(CMAKE_EXE_LINKER_FLAGS_INIT "-s -B${CMAKE_SYSROOT}/usr/lib/${triplet} -L${CMAKE_SYSROOT}/unwinder -L${CMAKE_SYSROOT}/usr/lib/${triplet}")
