# Compiler settings that every target of the project shares: warnings, sanitizers, ccache and a fast linker.

add_library(mdl_flags INTERFACE)
target_compile_options(mdl_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
option(MDL_WERROR "Make warnings errors, as the preset ci does: a compiler of another year warns of other things" OFF)
if(MDL_WERROR)
  target_compile_options(mdl_flags INTERFACE -Werror)
endif()
# GCC 12 sees overlapping copies in plain assignments of string literals (its bug 105651).
target_compile_options(mdl_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

# -O3 gains nothing here, where LibTorch's kernels do the work, and costs a third more time to compile.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

if(MDL_SANITIZE)
  # GCC 12 takes std::function's inside for uninitialized once it is instrumented (in Catch2, by std::regex).
  target_compile_options(mdl_flags INTERFACE -Wno-maybe-uninitialized)
  add_compile_options(-fsanitize=${MDL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MDL_SANITIZE})
endif()

if(MDL_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "MDL_FUZZ needs clang: run scripts/fuzz.sh --setup, then scripts/fuzz.sh, which configure it")
  endif()
  # Numbers from outside also become other numbers; a conversion without a meaning is as bad as an overflow.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(MDL_CCACHE ccache)
if(MDL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers are cached only with these three.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime
                                  ${MDL_CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

option(MDL_UNITY_BUILD "Compile several files of a library at once: three times faster from nothing, slower for one change" OFF)

# mdl_unity_build(TARGET [FILE…]): lets MDL_UNITY_BUILD join the files of TARGET, except FILEs, whose names without linkage
# clash with those of another file.
function(mdl_unity_build target)
  if(NOT MDL_UNITY_BUILD)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
  # The warning is about anonymous namespaces in headers, and takes a joined file for one.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
