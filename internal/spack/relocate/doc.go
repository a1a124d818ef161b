// Package relocate makes the files of an installed package fit another place:
// it replaces the prefixes that were built into them.
//
// There are four kinds of files, each with rules of its own, which are those of
// Spack (relocate.py, relocate_text.py, util/elf.py and hooks/sbang.py), to the
// byte wherever Spack's result is defined by its own code:
//
//   - text, where a path may become longer or shorter: [Map.Text];
//   - symbolic links with absolute targets: [Map.Link];
//   - ELF files, whose interpreter, RPATH and RUNPATH are rewritten and whose C
//     strings are padded, because nothing in them may move: [Map.Binary];
//   - scripts whose first line became too long for the kernel: [Sbang].
//
// What cannot be right is an error: a longer prefix in a C string
// ([*CannotGrowStringError]), or one that is shorter by a few bytes and shares
// no end with the old one ([*CannotShrinkStringError]).
package relocate
