# lamp_read_def(FILE MACRO OUT_SOURCES OUT_PACKAGES): the sources (and libraries) that a .def
# file names, one `MACRO(name)` or `MACRO(name, package)` a line, so that a new protocol or
# store is one new file and one line.
function(lamp_read_def def macro out_src out_pkg)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${def})
  file(STRINGS ${def} lines REGEX "^${macro}\\(")
  set(src "")
  set(pkg "")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "\\(([a-z0-9_]+)(, *([a-zA-Z0-9_.-]+))?\\)" _ "${line}")
    get_filename_component(folder ${def} DIRECTORY)
    list(APPEND src ${folder}/${CMAKE_MATCH_1}.c)
    if(CMAKE_MATCH_3)
      list(APPEND pkg ${CMAKE_MATCH_3})
    endif()
  endforeach()
  set(${out_src} ${src} PARENT_SCOPE)
  set(${out_pkg} ${pkg} PARENT_SCOPE)
endfunction()
