// Package config is the language of esd: it loads a configuration written in
// HCL, checks it, and evaluates it to the objects that a plan is made of.
//
// It works in two steps. [Load] reads all files of the root module and of the
// modules that it calls, sets the variables, and checks everything that can be
// checked without values: names, nesting, references, functions. Then
// [Config.Evaluate] visits variables, locals, module calls, blocks and outputs
// in the order of their references and computes their values.
//
// Which kinds of block there are is told by the schemas handed in; the package
// itself knows none of them.
//
// Where the language is not described otherwise it does as Terraform does.
package config
