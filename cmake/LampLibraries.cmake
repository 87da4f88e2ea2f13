# The libraries of DESIGN section 2, as PkgConfig::NAME targets. deploy/dependencies lists
# the Debian packages that hold them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(pair
    libconfig=libconfig pcap=libpcap zmq=libzmq>=4.3.4 czmq=libczmq protobuf_c=libprotobuf-c
    microhttpd=libmicrohttpd sqlite=sqlite3 sodium=libsodium nftables=libnftables
    conntrack=libnetfilter_conntrack jansson=jansson curl=libcurl seccomp=libseccomp zlib=zlib
    zstd=libzstd maxminddb=libmaxminddb cares=libcares gnutls=gnutls)
  string(REGEX MATCH "^([a-z_]+)=(.*)$" _ "${pair}")
  pkg_check_modules(${CMAKE_MATCH_1} REQUIRED IMPORTED_TARGET ${CMAKE_MATCH_2})
endforeach()
