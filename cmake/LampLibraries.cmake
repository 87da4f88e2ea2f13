# The libraries of DESIGN section 2, as PkgConfig::NAME targets. deploy/dependencies lists
# the Debian packages that hold them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
set(libraries
  libconfig=libconfig pcap=libpcap zmq=libzmq>=4.3.4 protobuf_c=libprotobuf-c sqlite=sqlite3 sodium=libsodium
  nftables=libnftables conntrack=libnetfilter_conntrack jansson=jansson seccomp=libseccomp zlib=zlib zstd=libzstd)
if(LAMP_AGGREGATOR)
  list(APPEND libraries czmq=libczmq microhttpd=libmicrohttpd curl=libcurl maxminddb=libmaxminddb cares=libcares
    gnutls=gnutls)
endif()
foreach(pair IN LISTS libraries)
  string(REGEX MATCH "^([a-z_]+)=(.*)$" _ "${pair}")
  pkg_check_modules(${CMAKE_MATCH_1} REQUIRED IMPORTED_TARGET ${CMAKE_MATCH_2})
endforeach()
