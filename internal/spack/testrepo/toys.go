package testrepo

import (
	"fmt"
	"slices"
	"strings"
)

// toys are all packages, sorted by name.
func toys(opts Options) []toy {
	all := []toy{alpha(), beta(), app(), paths(), interpreter(), scripts(), generator(), failing(), slow(opts.SlowSeconds), hungry(opts.HungryMiB)}
	everything := toy{name: "toy-all", version: "1.0", doc: "Everything that can be built quickly.", bundle: true,
		deps: []dep{{name: "toy-app", types: `"run"`}}}
	for i := range opts.Leaves {
		l := leaf(i)
		all = append(all, l)
		everything.deps = append(everything.deps, dep{name: l.name, types: `"run"`})
	}
	if opts.Git {
		all = append(all, toy{name: "toy-git", version: "0.1", doc: "A package from a git repository.", git: true})
	}
	all = append(all, everything)
	slices.SortFunc(all, func(a, b toy) int { return strings.Compare(a.name, b.name) })
	return all
}

// tarball is the source of a package: its files below the usual directory.
func tarball(name, version string, files map[string]string) []source {
	top := name + "-" + version
	return []source{{file: top + ".tar.gz", top: top, files: files}}
}

func alpha() toy {
	return toy{name: "toy-alpha", version: "2.1", doc: "A library, shared and static, with links and a .pc file.", c: true,
		sources: tarball("toy-alpha", "2.1", map[string]string{
			"alpha.c": "int alpha(int n) { return 2 * n + 1; }\n",
			"alpha.h": "int alpha(int n);\n",
			"install.sh": `set -e
mkdir -p "$PREFIX/include" "$PREFIX/lib/pkgconfig"
cp alpha.h "$PREFIX/include"
$CC -O1 -fPIC -shared -Wl,-soname,libalpha.so.2 -o "$PREFIX/lib/libalpha.so.2.1" alpha.c
$CC -O1 -c alpha.c
ar rcs "$PREFIX/lib/libalpha.a" alpha.o
ln -s libalpha.so.2.1 "$PREFIX/lib/libalpha.so.2"
ln -s "$PREFIX/lib/libalpha.so.2" "$PREFIX/lib/libalpha.so"
cat > "$PREFIX/lib/pkgconfig/alpha.pc" <<END
prefix=$PREFIX
libdir=\${prefix}/lib
Name: alpha
Description: a toy
Version: 2.1
Libs: -L$PREFIX/lib -lalpha
Cflags: -I$PREFIX/include
END
`})}
}

func generator() toy {
	return toy{name: "toy-gen", version: "1.0", doc: "A program that is needed for building only.", c: true,
		sources: tarball("toy-gen", "1.0", map[string]string{
			"gen.c": `#include <stdio.h>
int main(int argc, char **argv) {
  if (argc != 3) return 2;
  printf("const char *%s(void) { return \"%s\"; }\n", argv[1], argv[2]);
  return 0;
}
`,
			"install.sh": `set -e
mkdir -p "$PREFIX/bin"
$CC -O1 -o "$PREFIX/bin/toy-gen" gen.c
`})}
}

func beta() toy {
	t := toy{name: "toy-beta", version: "3.3", doc: "A library with generated code, patches and a resource.", c: true, variant: "loud",
		deps: []dep{{"toy-alpha", `"build", "link"`, "ALPHA"}, {"toy-gen", `"build"`, "GEN"}},
		sources: tarball("toy-beta", "3.3", map[string]string{
			"beta.c":      "#include <alpha.h>\nint beta(int n) { return alpha(n) - 100; }\n",
			"beta.h":      "int beta(int n);\nconst char *beta_word(void);\n",
			"welcome.txt": "unpatched\n",
			"install.sh": `set -e
mkdir -p "$PREFIX/include" "$PREFIX/lib" "$PREFIX/share"
"$GEN/bin/toy-gen" beta_word generated > word.c
$CC -O1 -fPIC -shared -Wl,-soname,libbeta.so.3 -o "$PREFIX/lib/libbeta.so.3" beta.c word.c -I"$ALPHA/include" -L"$ALPHA/lib" -lalpha
ln -s libbeta.so.3 "$PREFIX/lib/libbeta.so"
cp beta.h "$PREFIX/include"
cp welcome.txt extra/data.txt "$PREFIX/share"
`}),
		patchFile: "plus.patch", patchURL: "welcome.patch", resource: "toy-data-1.tar.gz",
		beside: map[string]string{"plus.patch": `--- a/beta.c
+++ b/beta.c
@@ -1,2 +1,2 @@
 #include <alpha.h>
-int beta(int n) { return alpha(n) - 100; }
+int beta(int n) { return alpha(n) + 1; }
`}}
	t.sources = append(t.sources,
		source{file: "welcome.patch", text: "--- a/welcome.txt\n+++ b/welcome.txt\n@@ -1 +1 @@\n-unpatched\n+welcome\n"},
		source{file: "toy-data-1.tar.gz", top: "toy-data-1", files: map[string]string{"data.txt": "data\n"}})
	return t
}

func paths() toy {
	return toy{name: "toy-paths", version: "0.3", doc: "A library with its prefix in strings, texts and hard links.", c: true,
		sources: tarball("toy-paths", "0.3", map[string]string{
			"paths.c": `const char paths_config[] = PREFIX "/etc/toy/conf.d";
static const char *search = PREFIX "/share/one:" PREFIX "/share/two:/usr/share";
const char *paths_search(void) { return search; }
const char *paths_prefix(void) { return PREFIX; }
const char *paths_suffix(void) { return "/etc/toy/conf.d"; }
`,
			"paths.h": "extern const char paths_config[];\nconst char *paths_search(void);\nconst char *paths_prefix(void);\nconst char *paths_suffix(void);\n",
			"install.sh": `set -e
mkdir -p "$PREFIX/include" "$PREFIX/lib" "$PREFIX/etc/toy/conf.d" "$PREFIX/share/one"
$CC -O1 -fPIC -shared -DPREFIX="\"$PREFIX\"" -Wl,-soname,libpaths.so.0 -o "$PREFIX/lib/libpaths.so.0" paths.c
ln -s libpaths.so.0 "$PREFIX/lib/libpaths.so"
cp paths.h "$PREFIX/include"
printf 'root = %s\n' "$PREFIX" > "$PREFIX/etc/toy/conf.d/main.conf"
printf 'one\n' > "$PREFIX/share/one/text"
ln "$PREFIX/share/one/text" "$PREFIX/share/one/same"
`})}
}

func interpreter() toy {
	return toy{name: "toy-interpreter", version: "5.0", doc: "An interpreter that scripts name in their first line.", c: true,
		sources: tarball("toy-interpreter", "5.0", map[string]string{
			"say.c": `#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  char line[8192];
  FILE *f = argc > 1 ? fopen(argv[1], "r") : 0;
  if (!f) return 2;
  while (fgets(line, sizeof line, f))
    if (strncmp(line, "say ", 4) == 0) fputs(line + 4, stdout);
  return 0;
}
`,
			"install.sh": `set -e
mkdir -p "$PREFIX/bin"
$CC -O1 -o "$PREFIX/bin/toy-say" say.c
`})}
}

func scripts() toy {
	return toy{name: "toy-scripts", version: "1.4", doc: "Scripts and links that refer to another package.",
		deps: []dep{{"toy-interpreter", `"build", "run"`, "INTERPRETER"}},
		sources: tarball("toy-scripts", "1.4", map[string]string{
			"install.sh": `set -e
mkdir -p "$PREFIX/bin" "$PREFIX/libexec" "$PREFIX/share"
printf '#!%s/bin/toy-say\nsay hello from %s\n' "$INTERPRETER" "$PREFIX" > "$PREFIX/bin/hello"
printf '#!/bin/sh\nexec %s/bin/toy-say %s/bin/hello\n' "$INTERPRETER" "$PREFIX" > "$PREFIX/bin/run-hello"
chmod 755 "$PREFIX/bin/hello" "$PREFIX/bin/run-hello"
ln -s "$INTERPRETER/bin/toy-say" "$PREFIX/libexec/interpreter"
ln -s ../bin/hello "$PREFIX/libexec/hello"
printf 'na\303\257ve %s\n' "$PREFIX" > "$PREFIX/share/utf8"
printf 'na\357ve %s\n' "$PREFIX" > "$PREFIX/share/latin1"
`})}
}

func app() toy {
	return toy{name: "toy-app", version: "1.0", doc: "A program that links and runs the others.", c: true, makefile: true,
		deps: []dep{{"toy-beta", `"build", "link"`, "BETA"}, {"toy-paths", `"build", "link"`, "PATHS"}, {"toy-scripts", `"run"`, ""}},
		sources: tarball("toy-app", "1.0", map[string]string{
			"app.c": `#include <stdio.h>
#include <beta.h>
#include <paths.h>
int main(void) {
  printf("beta=%d word=%s config=%s search=%s suffix=%s prefix=%s\n",
         beta(20), beta_word(), paths_config, paths_search(), paths_suffix(), paths_prefix());
  return 0;
}
`,
			"Makefile": `toy-app: app.c
	$(CC) -O1 -o $@ app.c -I$(BETA)/include -I$(PATHS)/include -L$(BETA)/lib -lbeta -L$(PATHS)/lib -lpaths
install: toy-app
	mkdir -p $(PREFIX)/bin
	cp toy-app $(PREFIX)/bin
`})}
}

func leaf(i int) toy {
	name := fmt.Sprintf("toy-leaf%d", i)
	return toy{name: name, version: "1.0", doc: "One of many alike.", c: true,
		deps: []dep{{"toy-alpha", `"build", "link"`, "ALPHA"}},
		sources: tarball(name, "1.0", map[string]string{
			"leaf.c": fmt.Sprintf("#include <alpha.h>\nint leaf%d(void) { return alpha(%d); }\n", i, i),
			"install.sh": fmt.Sprintf(`set -e
mkdir -p "$PREFIX/lib"
$CC -O1 -fPIC -shared -o "$PREFIX/lib/libleaf%d.so" leaf.c -I"$ALPHA/include" -L"$ALPHA/lib" -lalpha
`, i)})}
}

func failing() toy {
	return toy{name: "toy-fail", version: "1.0", doc: "A package that never builds.",
		deps: []dep{{"toy-alpha", `"build", "link"`, "ALPHA"}},
		sources: tarball("toy-fail", "1.0", map[string]string{
			"install.sh": "echo trying\necho 'toy-fail.c:3: error: this is meant to fail' >&2\nexit 7\n"})}
}

func slow(seconds int) toy {
	return toy{name: "toy-slow", version: "1.0", doc: "A package that takes its time and says nothing meanwhile.",
		sources: tarball("toy-slow", "1.0", map[string]string{
			"install.sh": fmt.Sprintf("set -e\necho sleeping\nsleep %d\nmkdir -p \"$PREFIX/share\"\ntouch \"$PREFIX/share/done\"\n", seconds)})}
}

func hungry(mebibytes int) toy {
	return toy{name: "toy-hungry", version: "1.0", doc: "A package whose build fills memory.", c: true,
		sources: tarball("toy-hungry", "1.0", map[string]string{
			"eat.c": fmt.Sprintf(`#include <stdlib.h>
#include <string.h>
int main(void) {
  int i;
  for (i = 0; i < %d; i++) {
    char *p = malloc(1 << 20);
    if (!p) abort();
    memset(p, i + 1, 1 << 20);
  }
  return 0;
}
`, mebibytes),
			"install.sh": "set -e\n$CC -O0 -o eat eat.c\n./eat\nmkdir -p \"$PREFIX/share\"\ntouch \"$PREFIX/share/full\"\n"})}
}

const gitInstall = "set -e\nmkdir -p \"$PREFIX/share\"\necho git > \"$PREFIX/share/from\"\n"
