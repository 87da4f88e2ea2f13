# A toolchain file: Debian's cross compiler, the libraries that tests/cross/sysroot unpacked, and qemu-user to
# run what comes out. LAMP_CROSS is Debian's name of the architecture.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LAMP_CROSS)
set(lamp_cross_s390x s390x-linux-gnu s390x s390x)
set(lamp_cross_armhf arm-linux-gnueabihf armv7l arm)
if(NOT DEFINED lamp_cross_${LAMP_CROSS})
  message(FATAL_ERROR "LAMP_CROSS is ${LAMP_CROSS}: only s390x and armhf are known here")
endif()
list(GET lamp_cross_${LAMP_CROSS} 0 triplet)
list(GET lamp_cross_${LAMP_CROSS} 1 processor)
list(GET lamp_cross_${LAMP_CROSS} 2 emulated)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${processor})
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${triplet})
set(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot/${LAMP_CROSS})
cmake_path(NORMAL_PATH CMAKE_SYSROOT)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${emulated}-static -L ${CMAKE_SYSROOT})

# pkg-config looks there and nowhere else.
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/${triplet}/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)
