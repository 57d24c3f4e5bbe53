# cmake -DSOURCE=… -DVERSION=0.1.0 -DOUTPUT=… -P write_version.cmake: writes the header with the version and the commit of the source, if it
# has changed. A commit with a tag vX.Y.Z is that version; any other is a development version before VERSION, numbered by its commits, in
# PEP 440's form: 0.1.0.dev814+g736d515, and .dirty behind it where tracked files differ from the commit. Without git: VERSION.
function(git variable)
  execute_process(COMMAND git ${ARGN} WORKING_DIRECTORY "${SOURCE}" RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed)
    set(text "")
  endif()
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

set(commit "")
if(EXISTS "${SOURCE}/.git")  # not the repository of a folder above
  git(commit rev-parse HEAD)
endif()
if(commit)
  git(tag describe --tags --exact-match --match "v[0-9]*" HEAD)
  git(count rev-list --count HEAD)
  git(changes status --porcelain --untracked-files=no)
  string(SUBSTRING "${commit}" 0 7 short)
  if(tag AND NOT changes)
    string(SUBSTRING "${tag}" 1 -1 VERSION)
  else()
    string(APPEND VERSION ".dev${count}+g${short}")
    if(changes)
      string(APPEND VERSION ".dirty")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#define MDL_VERSION "@VERSION@"
#define MDL_COMMIT "@commit@"
]])
