# lamp_flags: what every target of ours is compiled with (STYLE: warnings as errors).
add_library(lamp_flags INTERFACE)
target_compile_options(lamp_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wimplicit-fallthrough -Werror -fvisibility=hidden -fno-strict-aliasing)
target_compile_definitions(lamp_flags INTERFACE _GNU_SOURCE)
if(CMAKE_SIZEOF_VOID_P EQUAL 4) # files past 2 GiB, and inode numbers past 32 bits
  target_compile_definitions(lamp_flags INTERFACE _FILE_OFFSET_BITS=64)
endif()
target_include_directories(lamp_flags INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)

if(LAMP_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)     # coverage counters, no main()
endif()
if(LAMP_SANITIZE STREQUAL "trap") # no library of the sanitizer is needed: what is undefined ends the program
  add_compile_options(-fsanitize=undefined -fsanitize-undefined-trap-on-error -Wcast-align=strict)
elseif(LAMP_SANITIZE)
  list(JOIN LAMP_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${sanitizers})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
    -fstack-clash-protection)
  add_link_options(-Wl,-z,relro,-z,now -pie)
endif()
