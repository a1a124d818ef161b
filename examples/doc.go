// Package examples holds configurations that work as they stand. The tests
// apply them for real; there is no Go code to use here.
package examples
