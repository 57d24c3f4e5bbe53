# mdl_older_libstdcxx(PROGRAM…): programs that GCC 12 compiles ask its C++ library for one thing that GCC 11's (Ubuntu 22.04's, RHEL 9's) has
# not got, a version of std::condition_variable::wait. They take the one before it, wherever the linker can be told so, and ask for
# GLIBCXX_3.4.29 at most: what is packaged is what was tested. Newer compilers ask for more than that.
include(CheckCXXSourceCompiles)
set(_wait _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE)
file(READ "${CMAKE_CURRENT_LIST_DIR}/older_libstdcxx.cpp" _source)
set(CMAKE_REQUIRED_LINK_OPTIONS "-Wl,--wrap=${_wait}")
check_cxx_source_compiles("${_source}
int main() {
  std::mutex mutex;
  std::unique_lock<std::mutex> lock(mutex);
  std::condition_variable().wait(lock);
}" MDL_OLDER_LIBSTDCXX)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
# gold takes the older version for the one to be wrapped.
if("${CMAKE_EXE_LINKER_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fuse-ld=gold")
  set(MDL_OLDER_LIBSTDCXX OFF)
endif()
set(MDL_OLDER_LIBSTDCXX_FILE "${CMAKE_CURRENT_LIST_DIR}/older_libstdcxx.cpp")
set(MDL_OLDER_LIBSTDCXX_OPTION "-Wl,--wrap=${_wait}")

function(mdl_older_libstdcxx)
  if(MDL_OLDER_LIBSTDCXX)
    foreach(program IN LISTS ARGN)
      target_sources(${program} PRIVATE "${MDL_OLDER_LIBSTDCXX_FILE}")
      target_link_options(${program} PRIVATE "${MDL_OLDER_LIBSTDCXX_OPTION}")
    endforeach()
  endif()
endfunction()
