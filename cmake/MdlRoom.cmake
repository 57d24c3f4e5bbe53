# A room: a folder of the source tree that is one noun, one target and one part of the namespace.
#
#   mdl_room(USES ROOM… [LINKS LIBRARY…] [PRIVATE_LINKS LIBRARY…] [WITHOUT FILE…] [APART FILE…])
#
# makes the library mdl_FOLDER (slashes become underscores) of the current folder's sources. It sees its own headers, those of the
# rooms that it USES (folders, as ARCHITECTURE.md's table has them), and theirs: each room has a folder of links to its headers in the
# build folder, and no room has the source folder in its include path. So an #include against the arrows does not compile.
# LINKS and PRIVATE_LINKS are libraries of others. Files WITHOUT are left out of the library; files APART are compiled by
# themselves in a unity build, because their names without linkage clash with those of another file.
function(mdl_room)
  cmake_parse_arguments(arg "" "" "USES;LINKS;PRIVATE_LINKS;WITHOUT;APART" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mdl_room: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  mdl_room_target(room ${folder})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  foreach(file IN LISTS arg_WITHOUT)
    list(REMOVE_ITEM sources "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  endforeach()
  add_library(${room} STATIC ${sources})

  set(view "${CMAKE_BINARY_DIR}/rooms/${room}")
  file(REMOVE_RECURSE "${view}")
  file(MAKE_DIRECTORY "${view}/${folder}")
  file(GLOB headers RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" CONFIGURE_DEPENDS *.hpp)
  foreach(header IN LISTS headers)
    file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}/${header}" "${view}/${folder}/${header}" SYMBOLIC)
  endforeach()
  target_include_directories(${room} PUBLIC "${view}")

  target_link_libraries(${room} PUBLIC mdl_flags ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
  foreach(used IN LISTS arg_USES)
    mdl_room_target(target ${used})
    if(NOT TARGET ${target})
      message(FATAL_ERROR "${folder} uses ${used}, which is no room, or one that lies above it")
    endif()
    target_link_libraries(${room} PUBLIC ${target})
  endforeach()
  list(JOIN arg_USES " " uses)
  set_property(GLOBAL APPEND PROPERTY MDL_ROOMS "${folder}: ${uses}")
  mdl_unity_build(${room} ${arg_APART})
endfunction()

# mdl_room_target(VARIABLE FOLDER): the name of a room's library.
function(mdl_room_target variable folder)
  string(REPLACE "/" "_" name "${folder}")
  set(${variable} "mdl_${name}" PARENT_SCOPE)
endfunction()
