// Package view holds how things look: what people and programs read of a plan,
// of a run, of a state, of diagnostics. It is the only package that prints.
//
// Everything here is a pure function of values to bytes: it takes an
// [io.Writer] and explicit [Options], reads no global and no clock (the
// followers of a run get theirs passed in), and writes the same bytes for the
// same values. Only [Detect] looks at the world, once, for the command line.
//
// All text from outside (addresses, reasons, titles, error messages, logs,
// sources) goes through the functions in clean.go before it is written to a
// terminal, and through those in markdown.go before it is put into a comment.
package view
