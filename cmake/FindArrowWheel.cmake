# Arrow C++ as the pyarrow wheel ships it: headers and libarrow.so.
#
# Input:   MDL_VENV
# Defines: ArrowWheel::arrow, ArrowWheel_DIR (the wheel's folder `pyarrow`), ArrowWheel_LIBRARY, ArrowWheel_VERSION

file(GLOB _arrow_roots "${MDL_VENV}/lib/python3*/site-packages/pyarrow")
find_path(ArrowWheel_INCLUDE_DIR arrow/api.h PATHS ${_arrow_roots} PATH_SUFFIXES include NO_DEFAULT_PATH)
if(ArrowWheel_INCLUDE_DIR)
  get_filename_component(ArrowWheel_DIR "${ArrowWheel_INCLUDE_DIR}" DIRECTORY)
  file(GLOB _libs "${ArrowWheel_DIR}/libarrow.so.*")
  list(SORT _libs)
  list(GET _libs 0 ArrowWheel_LIBRARY)
  file(STRINGS "${ArrowWheel_INCLUDE_DIR}/arrow/util/config.h" _version REGEX "ARROW_VERSION_STRING")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" ArrowWheel_VERSION "${_version}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ArrowWheel REQUIRED_VARS ArrowWheel_INCLUDE_DIR ArrowWheel_LIBRARY
                                  VERSION_VAR ArrowWheel_VERSION
                                  REASON_FAILURE_MESSAGE "no pyarrow wheel in ${MDL_VENV} (run scripts/setup.sh)")

if(ArrowWheel_FOUND AND NOT TARGET ArrowWheel::arrow)
  add_library(ArrowWheel::arrow INTERFACE IMPORTED)
  target_include_directories(ArrowWheel::arrow SYSTEM INTERFACE "${ArrowWheel_INCLUDE_DIR}")
  target_link_libraries(ArrowWheel::arrow INTERFACE "${ArrowWheel_LIBRARY}")
endif()
mark_as_advanced(ArrowWheel_INCLUDE_DIR ArrowWheel_LIBRARY)
