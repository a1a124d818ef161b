# A small deployment: a program in C, and an image with it.
#
#   esd plan     shows what is missing, why, and what it costs
#   esd apply    does it
#
# Then change src/hello/hello.c, and look at the plan again.

variable "greeting" {
  description = "What the program says."
  type        = string
  default     = "Hello"
}

recipe "hello" {
  version = "0.1.0"
  source { path = "src/hello" }
  env = { GREETING = var.greeting }

  # The image below has nothing in it but this program, so it is linked
  # statically.
  script = <<-EOT
    mkdir -p "$prefix/bin"
    cc -O2 -static -DGREETING="\"$GREETING\"" -o "$prefix/bin/hello" hello.c
  EOT
}

target "image" "hello" {
  packages   = [recipe.hello]
  entrypoint = ["${recipe.hello.prefix}/bin/hello"]

  # An image on disk, which `podman run oci:dist/hello:0.1.0` runs. A registry
  # is named as in registry.example.org/group/hello:0.1.0.
  publish = ["oci:dist/hello:${recipe.hello.version}"]

  check "it runs" {
    command = ["${recipe.hello.prefix}/bin/hello"]
  }
}

output "image" {
  description = "The digest of the image."
  value       = target.image.hello.digest
}
