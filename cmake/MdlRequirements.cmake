# What is too old for the sources is refused here by name, before a compiler says it in its own words.

# mdl_refuse_older(NAME FOUND NEEDED REASON…): stops where version FOUND of NAME is older than NEEDED. The REASON is one text.
function(mdl_refuse_older name found needed)
  if(found VERSION_LESS needed)
    list(JOIN ARGN "" reason)
    message(FATAL_ERROR "${name} ${found} is too old: ${needed} or newer is needed, ${reason}")
  endif()
endfunction()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  mdl_refuse_older(GCC "${CMAKE_CXX_COMPILER_VERSION}" 11
    "because the launcher is made of C++20's coroutines. Install a newer one (RHEL 8: gcc-toolset-12; Debian 11: none) and configure with "
    "-DCMAKE_CXX_COMPILER=g++-11, or use the packages, which start on this system.")
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  mdl_refuse_older(Clang "${CMAKE_CXX_COMPILER_VERSION}" 16
    "because older ones do not compile the C++ library's ranges. Install a newer one, or configure with -DCMAKE_CXX_COMPILER=g++.")
endif()

# For all rooms, as what find_package makes is seen in the folders below.
find_package(nlohmann_json REQUIRED)
mdl_refuse_older(nlohmann/json "${nlohmann_json_VERSION}" 3.11
  "for NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT. It lies in ${nlohmann_json_DIR}. Unpack a newer release anywhere, run cmake --install on it, and "
  "configure with -Dnlohmann_json_DIR=PREFIX/share/cmake/nlohmann_json.")
