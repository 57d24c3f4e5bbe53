# cmake -DSOURCE=… -DVERSION=0.1.0 -DOUTPUT=… [-DSTRICT=ON] -P write_version.cmake: writes the header with the version and the commit of the
# source, if it has changed. A commit with a tag vX.Y.Z (or vX.Y.ZrcN, vX.Y.Z.postN …) is that version; any other is a development version before
# VERSION, numbered by its commits, in PEP 440's form: 0.1.0.dev814+g736d515, and .dirty behind it where tracked files differ from the commit.
# Without .git: VERSION. Where there is one that git cannot read: 0.1.0.dev0 and a warning. STRICT, for packages: an error instead of a version
# that may be wrong.

# complain(TEXT): a build goes on, a package is not made.
function(complain text)
  if(STRICT)
    message(FATAL_ERROR "${text}")
  else()
    message(WARNING "${text}")
  endif()
endfunction()

# git(VARIABLE ARGUMENT…): what git says; where it fails, nothing, and git_failed is the reason.
function(git variable)
  execute_process(COMMAND git ${ARGN} WORKING_DIRECTORY "${SOURCE}" RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_VARIABLE said
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_STRIP_TRAILING_WHITESPACE)
  if(failed)
    set(text "")
    if(said STREQUAL "")
      set(said "git: ${failed}")
    endif()
    set(git_failed "${said}" PARENT_SCOPE)
  endif()
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# version_of_tag(VARIABLE): the newest version that a tag gives this commit, if any.
function(version_of_tag variable)
  git(tags -c versionsort.suffix=a -c versionsort.suffix=b -c versionsort.suffix=rc tag --points-at HEAD --sort=-version:refname --list "v[0-9]*")
  set(number "[0-9]+(\\.[0-9]+)*((a|b|rc)[0-9]+)?(\\.post[0-9]+)?")  # as PEP 440 writes them
  if("\n${tags}\n" MATCHES "\nv(${number})\n")
    set(${variable} "${CMAKE_MATCH_1}" PARENT_SCOPE)
  elseif(STRICT AND tags)
    message(FATAL_ERROR "the tag ${tags} is no version as PEP 440 writes them: v1.2.3, v1.2.3rc1, v1.2.3.post1")
  endif()
endfunction()

set(commit "")
if(EXISTS "${SOURCE}/.git")  # not the repository of a folder above
  git(commit rev-parse HEAD)
  git(count rev-list --count HEAD)
  git(changes status --porcelain --untracked-files=no)
  if(git_failed)
    set(commit "")
    complain("the version of the source is unknown: git cannot read ${SOURCE}. ${git_failed}")
    string(APPEND VERSION ".dev0")
  endif()
endif()
if(commit)
  version_of_tag(tagged)
  if(tagged AND changes STREQUAL "")
    set(VERSION "${tagged}")
  else()
    git(shallow rev-parse --is-shallow-repository)
    if(shallow STREQUAL "true")
      complain("the version counts the commits, and this is a shallow clone, which has ${count} of them: git fetch --unshallow --tags")
    endif()
    string(SUBSTRING "${commit}" 0 7 short)
    string(APPEND VERSION ".dev${count}+g${short}")
    if(NOT changes STREQUAL "")
      string(APPEND VERSION ".dirty")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#define MDL_VERSION "@VERSION@"
#define MDL_COMMIT "@commit@"
]])
