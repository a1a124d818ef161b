SPACK ?= /opt/spack/bin/spack -c config:install_status:false
SPACK_INSTALL_FLAGS ?=
SPACK_PACKAGE_IDS := hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl
.PHONY: all clean
all: env
env: install/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv | dirs
	@touch $@
dirs:
	@mkdir -p install install-deps
install/%: | dirs
	+$(SPACK) -e '/opt/env' install $(SPACK_BUILDCACHE_FLAG) $(SPACK_INSTALL_FLAGS) --only-concrete --only=package /$(HASH) # $(SPEC)
	@touch $@
install-deps/%: | dirs
	@touch $@
%/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf: HASH = 5he7a765o7auue4266g64dnpk263snaf
%/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf: SPEC = hdf5@1.14.6~cxx~fortran~hl~ipo~java~map~mpi+shared~szip~threadsafe+tools api=default build_system=cmake build_type=Release generator=make platform=linux os=debian12 target=x86_64_v3
%/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf: SPACK_BUILDCACHE_FLAG =
%/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: HASH = o2pstofsfvtzdqdkxdgivhi4ll2nafmv
%/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: SPEC = zlib-ng@2.3.2+compat+new_strategies+opt+pic+shared build_system=autotools platform=linux os=debian12 target=x86_64_v3
%/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: SPACK_BUILDCACHE_FLAG =
%/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb: HASH = zd7gnf5s7segpcdgdt4xnzwcm4ydaefb
%/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb: SPEC = cmake@3.31.9~doc+ncurses+ownlibs~qtgui build_system=generic build_type=Release platform=linux os=debian12 target=x86_64_v3
%/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb: SPACK_BUILDCACHE_FLAG =
%/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: HASH = jrtxylmzw232laxox2s5a5wkhr7skrim
%/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: SPEC = compiler-wrapper@1.0 build_system=generic platform=linux os=debian12 target=x86_64_v3
%/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: SPACK_BUILDCACHE_FLAG =
%/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: HASH = nrkgrtkejgimrcd6u3re66h4t4yqtmfc
%/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: SPEC = gcc@12.2.0~binutils+bootstrap~graphite~mold~nvptx~piclibs~profiled~strip build_system=autotools build_type=RelWithDebInfo languages:='c,c++,fortran' platform=linux os=debian12 target=x86_64_v3
%/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: SPACK_BUILDCACHE_FLAG =
%/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: HASH = y5awtsbzwjks3unokgoenewjvui3tuca
%/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: SPEC = gcc-runtime@12.2.0 build_system=generic platform=linux os=debian12 target=x86_64_v3
%/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: SPACK_BUILDCACHE_FLAG =
%/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: HASH = zirfsst4q7dww5ptissbtjg7g6jccrvb
%/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: SPEC = glibc@2.36 build_system=autotools platform=linux os=debian12 target=x86_64_v3
%/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: SPACK_BUILDCACHE_FLAG =
%/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: HASH = lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
%/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: SPEC = gmake@4.4.1~guile build_system=generic platform=linux os=debian12 target=x86_64_v3
%/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: SPACK_BUILDCACHE_FLAG =
%/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: HASH = afxxurzbenowccbervqt5qq22n25ezjp
%/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: SPEC = pkgconf@2.5.1 build_system=autotools platform=linux os=debian12 target=x86_64_v3
%/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: SPACK_BUILDCACHE_FLAG =
%/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: HASH = x5h4jmvzztapca7nihdjkdqljyargkx4
%/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: SPEC = curl@8.17.0~gssapi~ldap~libidn2~librtmp~libssh~libssh2+nghttp2 build_system=autotools libs:=shared,static tls:=openssl platform=linux os=debian12 target=x86_64_v3
%/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: SPACK_BUILDCACHE_FLAG =
%/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl: HASH = zahbjixboehfwwd2i7rb44333eg4eckl
%/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl: SPEC = ncurses@6.5-20250705~symlinks+termlib abi=none build_system=autotools patches:=7a351bc platform=linux os=debian12 target=x86_64_v3
%/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl: SPACK_BUILDCACHE_FLAG =
%/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: HASH = lsuc7n4sazsavki73q635icqofgt6i24
%/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: SPEC = nghttp2@1.67.1 build_system=autotools platform=linux os=debian12 target=x86_64_v3
%/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: SPACK_BUILDCACHE_FLAG =
%/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: HASH = xhb7olggnckyn2oeawtb4igvedufpce7
%/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: SPEC = openssl@3.6.0~docs+shared build_system=generic certs=mozilla platform=linux os=debian12 target=x86_64_v3
%/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: SPACK_BUILDCACHE_FLAG =
%/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw: HASH = uhud7ajyoietjejezediqfiuhp72sivw
%/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw: SPEC = diffutils@3.12 build_system=autotools platform=linux os=debian12 target=x86_64_v3
%/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw: SPACK_BUILDCACHE_FLAG =
%/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu: HASH = 2ccreaz7j265bol6u64cm2txgbdllvqu
%/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu: SPEC = ca-certificates-mozilla@2025-08-12 build_system=generic platform=linux os=debian12 target=x86_64_v3
%/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu: SPACK_BUILDCACHE_FLAG =
%/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu: HASH = sh5xvjtnshstwn4hnh6mn4n52fadmdsu
%/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu: SPEC = perl@5.42.0+cpanm+opcode+open+shared+threads build_system=generic platform=linux os=debian12 target=x86_64_v3
%/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu: SPACK_BUILDCACHE_FLAG =
%/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g: HASH = 5bhrl7pvkuhqlnn47taxygrgowqo2e5g
%/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g: SPEC = libiconv@1.18 build_system=autotools libs:=shared,static platform=linux os=debian12 target=x86_64_v3
%/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g: SPACK_BUILDCACHE_FLAG =
%/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc: HASH = xfqnou36bs4oml5wjoui5ambyxe5kfxc
%/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc: SPEC = berkeley-db@18.1.40+cxx~docs+stl build_system=autotools patches:=26090f4,b231fcc platform=linux os=debian12 target=x86_64_v3
%/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc: SPACK_BUILDCACHE_FLAG =
%/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c: HASH = 62r2hcwm5gqzq2m7jq74om4ysdxax24c
%/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c: SPEC = bzip2@1.0.8~debug~pic+shared build_system=generic platform=linux os=debian12 target=x86_64_v3
%/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c: SPACK_BUILDCACHE_FLAG =
%/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst: HASH = wgpqxgrbzuueeq4j7zmks6lyimhccfst
%/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst: SPEC = gdbm@1.25 build_system=autotools platform=linux os=debian12 target=x86_64_v3
%/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst: SPACK_BUILDCACHE_FLAG =
%/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl: HASH = afpm5dudgkbvlel2sniekq4d2rxyivnl
%/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl: SPEC = readline@8.3 build_system=autotools patches:=21f0a03 platform=linux os=debian12 target=x86_64_v3
%/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl: SPACK_BUILDCACHE_FLAG =
install/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf: install-deps/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf
install-deps/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf: install/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: install-deps/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
install-deps/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
install/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb: install-deps/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb
install-deps/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim: install-deps/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim
install-deps/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim:
install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc: install-deps/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc
install-deps/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc:
install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: install-deps/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca
install-deps/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca: install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb: install-deps/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
install-deps/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb:
install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: install-deps/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
install-deps/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb
install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: install-deps/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp
install-deps/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
install/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: install-deps/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4
install-deps/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 install/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
install/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl: install-deps/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl
install-deps/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp
install/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: install-deps/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24
install-deps/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp
install/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: install-deps/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7
install-deps/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7: install/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
install/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw: install-deps/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw
install-deps/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g
install/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu: install-deps/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu
install-deps/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu:
install/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu: install-deps/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu
install-deps/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu: install/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc install/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv
install/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g: install-deps/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g
install-deps/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
install/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc: install-deps/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc
install-deps/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
install/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c: install-deps/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c
install-deps/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb
install/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst: install-deps/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst
install-deps/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl
install/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl: install-deps/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl
install-deps/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl: install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl
clean:
	rm -rf env install/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf install-deps/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf install/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv install-deps/zlib-ng-2.3.2-o2pstofsfvtzdqdkxdgivhi4ll2nafmv install/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb install-deps/cmake-3.31.9-zd7gnf5s7segpcdgdt4xnzwcm4ydaefb install/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install-deps/compiler-wrapper-1.0-jrtxylmzw232laxox2s5a5wkhr7skrim install/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install-deps/gcc-12.2.0-nrkgrtkejgimrcd6u3re66h4t4yqtmfc install/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install-deps/gcc-runtime-12.2.0-y5awtsbzwjks3unokgoenewjvui3tuca install/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install-deps/glibc-2.36-zirfsst4q7dww5ptissbtjg7g6jccrvb install/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install-deps/gmake-4.4.1-lqrw2p5ny6ss3wavwwogzfoqhcc5dojb install/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp install-deps/pkgconf-2.5.1-afxxurzbenowccbervqt5qq22n25ezjp install/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 install-deps/curl-8.17.0-x5h4jmvzztapca7nihdjkdqljyargkx4 install/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl install-deps/ncurses-6.5-20250705-zahbjixboehfwwd2i7rb44333eg4eckl install/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 install-deps/nghttp2-1.67.1-lsuc7n4sazsavki73q635icqofgt6i24 install/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 install-deps/openssl-3.6.0-xhb7olggnckyn2oeawtb4igvedufpce7 install/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw install-deps/diffutils-3.12-uhud7ajyoietjejezediqfiuhp72sivw install/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu install-deps/ca-certificates-mozilla-2025-08-12-2ccreaz7j265bol6u64cm2txgbdllvqu install/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu install-deps/perl-5.42.0-sh5xvjtnshstwn4hnh6mn4n52fadmdsu install/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g install-deps/libiconv-1.18-5bhrl7pvkuhqlnn47taxygrgowqo2e5g install/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc install-deps/berkeley-db-18.1.40-xfqnou36bs4oml5wjoui5ambyxe5kfxc install/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c install-deps/bzip2-1.0.8-62r2hcwm5gqzq2m7jq74om4ysdxax24c install/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst install-deps/gdbm-1.25-wgpqxgrbzuueeq4j7zmks6lyimhccfst install/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl install-deps/readline-8.3-afpm5dudgkbvlel2sniekq4d2rxyivnl
