SPACK ?= /opt/spack/bin/spack -c config:install_status:false
SPACK_INSTALL_FLAGS ?=
pre/fix/SPACK_PACKAGE_IDS := curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp
.PHONY: pre/fix/all pre/fix/clean
pre/fix/all: pre/fix/env
pre/fix/env: pre/fix/install/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 pre/fix/install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv | pre/fix/dirs
	@touch $@
pre/fix/dirs:
	@mkdir -p pre/fix/install pre/fix/install-deps
pre/fix/install/%: | pre/fix/dirs
	$(SPACK) -e '/opt/env' install $(SPACK_BUILDCACHE_FLAG) $(SPACK_INSTALL_FLAGS) --only-concrete --only=package /$(HASH) # $(SPEC)
	@touch $@
pre/fix/install-deps/%: | pre/fix/dirs
	@touch $@
pre/fix/%/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: HASH = x5h4jmvzztapca7nihdjkdqljyargkx4
pre/fix/%/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: SPEC = curl@8.17.0~gssapi~ldap~libidn2~librtmp~libssh~libssh2+nghttp2 build_system=autotools libs:=shared,static tls:=openssl platform=linux os=debian12 target=x86_64_v3
pre/fix/%/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: SPACK_BUILDCACHE_FLAG = --use-buildcache=never
pre/fix/%/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: HASH = o2pstofsfvtzdqdkxdgivhi4ll2nafmv
pre/fix/%/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: SPEC = zlib-ng@2.3.2+compat+new_strategies+opt+pic+shared build_system=autotools platform=linux os=debian12 target=x86_64_v3
pre/fix/%/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: SPACK_BUILDCACHE_FLAG = --use-buildcache=never
pre/fix/%/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: HASH = jrtxylmzw232laxox2s5a5wkhr7skrim
pre/fix/%/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: SPEC = compiler-wrapper@1.0 build_system=generic platform=linux os=debian12 target=x86_64_v3
pre/fix/%/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/%/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: HASH = nrkgrtkejgimrcd6u3re66h4t4yqtmfc
pre/fix/%/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: SPEC = gcc@12.2.0~binutils+bootstrap~graphite~mold~nvptx~piclibs~profiled~strip build_system=autotools build_type=RelWithDebInfo languages:='c,c++,fortran' platform=linux os=debian12 target=x86_64_v3
pre/fix/%/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/%/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: HASH = y5awtsbzwjks3unokgoenewjvui3tuca
pre/fix/%/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: SPEC = gcc-runtime@12.2.0 build_system=generic platform=linux os=debian12 target=x86_64_v3
pre/fix/%/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/%/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: HASH = zirfsst4q7dww5ptissbtjg7g6jccrvb
pre/fix/%/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: SPEC = glibc@2.36 build_system=autotools platform=linux os=debian12 target=x86_64_v3
pre/fix/%/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/%/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: HASH = lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
pre/fix/%/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: SPEC = gmake@4.4.1~guile build_system=generic platform=linux os=debian12 target=x86_64_v3
pre/fix/%/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/%/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: HASH = lsuc7n4sazsavki73q635icqofgt6i24
pre/fix/%/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: SPEC = nghttp2@1.67.1 build_system=autotools platform=linux os=debian12 target=x86_64_v3
pre/fix/%/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/%/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: HASH = xhb7olggnckyn2oeawtb4igvedufpce7
pre/fix/%/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: SPEC = openssl@3.6.0~docs+shared build_system=generic certs=mozilla platform=linux os=debian12 target=x86_64_v3
pre/fix/%/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/%/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: HASH = afxxurzbenowccbervqt5qq22n25ezjp
pre/fix/%/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: SPEC = pkgconf@2.5.1 build_system=autotools platform=linux os=debian12 target=x86_64_v3
pre/fix/%/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: SPACK_BUILDCACHE_FLAG = --use-buildcache=only
pre/fix/install/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: pre/fix/install-deps/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4
pre/fix/install-deps/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: pre/fix/install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim pre/fix/install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb pre/fix/install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb pre/fix/install/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 pre/fix/install/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 pre/fix/install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp pre/fix/install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
pre/fix/install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: pre/fix/install-deps/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
pre/fix/install-deps/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: pre/fix/install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim pre/fix/install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb pre/fix/install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
pre/fix/install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: pre/fix/install-deps/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim
pre/fix/install-deps/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim:
pre/fix/install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: pre/fix/install-deps/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc
pre/fix/install-deps/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc:
pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: pre/fix/install-deps/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca
pre/fix/install-deps/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: pre/fix/install-deps/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
pre/fix/install-deps/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb:
pre/fix/install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: pre/fix/install-deps/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
pre/fix/install-deps/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
pre/fix/install/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: pre/fix/install-deps/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24
pre/fix/install-deps/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
pre/fix/install/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: pre/fix/install-deps/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7
pre/fix/install-deps/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb pre/fix/install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
pre/fix/install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: pre/fix/install-deps/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp
pre/fix/install-deps/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
pre/fix/clean:
	rm -rf pre/fix/env pre/fix/install/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 pre/fix/install-deps/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 pre/fix/install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv pre/fix/install-deps/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv pre/fix/install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim pre/fix/install-deps/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim pre/fix/install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc pre/fix/install-deps/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc pre/fix/install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install-deps/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca pre/fix/install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb pre/fix/install-deps/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb pre/fix/install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb pre/fix/install-deps/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb pre/fix/install/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 pre/fix/install-deps/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 pre/fix/install/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 pre/fix/install-deps/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 pre/fix/install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp pre/fix/install-deps/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp
