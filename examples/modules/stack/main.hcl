# A module: one program in one variant, and the image that holds it.

variable "name" {
  description = "What the image is published as, below dist/."
  type        = string
}

variable "code" {
  description = "The directory of the source, seen from the root module."
  type        = string
}

variable "program" {
  description = "The name of the program, and of its C file."
  type        = string
}

variable "defines" {
  description = "What the preprocessor defines."
  type        = map(string)
  default     = {}
}

variable "optimize" {
  description = "Optimization: 0 to 3."
  type        = number
  default     = 2
  validation {
    condition     = contains([0, 1, 2, 3], var.optimize)
    error_message = "Optimization is 0, 1, 2 or 3."
  }
}

variable "tags" {
  description = "The tags of the image."
  type        = set(string)
}

locals {
  flags = join(" ", concat(
    ["-std=c99 -Wall -Wextra -ffp-contract=off", "-O${var.optimize}"],
    [for name, value in var.defines : "-D${name}=${value}"],
  ))
}

recipe "program" {
  version = "1.0.0"
  source { path = "${path.root}/${var.code}" } # paths are relative to this module
  script = <<-EOT
    mkdir -p "$prefix/bin"
    cc ${local.flags} -static -s ${var.program}.c -lm -o "$prefix/bin/${var.program}"
  EOT
  resources {
    cpus   = 1
    memory = "256MiB"
  }
}

target "image" "program" {
  packages   = [recipe.program]
  entrypoint = ["${recipe.program.prefix}/bin/${var.program}"]
  labels     = { for name, value in var.defines : "org.example.${lower(name)}" => value }
  publish    = [for tag in sort(tolist(var.tags)) : "oci:${path.root}/dist/${var.name}:${tag}"]

  check "runs" {
    command = ["${recipe.program.prefix}/bin/${var.program}"]
    timeout = "1m"
  }
}

output "digest" {
  value = target.image.program.digest
}

output "references" {
  value = target.image.program.references
}
