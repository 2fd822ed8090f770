# mclust as a system of `cargo xtask bench --peers`; the head of worker.py describes arguments, commands and answers.
#
#   Rscript mclust.R FOLDER WORKLOAD N D K FORM
#
# Its me() begins with an M-step, so it is given the responsibilities of the common start. N M-steps lead to the same
# parameters as N iterations of the others, and the first E-step, which is outside the clock, cancels in differences.

words <- commandArgs(trailingOnly = TRUE)
stem <- file.path(words[1], words[2])
n <- as.integer(words[3]); d <- as.integer(words[4]); k <- as.integer(words[5]); form <- words[6]

say <- function(...) { cat("{", sprintf(...), "}\n", sep = ""); flush(stdout()) }

if (!requireNamespace("mclust", quietly = TRUE)) {
  say('"absent": "R has no package mclust"')
  quit()
}
suppressMessages(library(mclust))

# An array is the end of its file.
read <- function(part, length) {
  path <- paste0(stem, ".", part, ".npy")
  file <- file(path, "rb")
  on.exit(close(file))
  seek(file, file.size(path) - 8 * length)
  readBin(file, "double", length, endian = "little")
}

write_npy <- function(path, rows) {
  header <- sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", nrow(rows), ncol(rows))
  header <- paste0(formatC(header, width = -117), "\n")
  file <- file(path, "wb")
  on.exit(close(file))
  writeBin(c(as.raw(0x93), charToRaw("NUMPY"), as.raw(c(1, 0))), file)
  writeBin(nchar(header), file, size = 2, endian = "little")
  writeBin(charToRaw(header), file)
  writeBin(as.vector(t(rows)), file, endian = "little")
}

status <- function(name) {
  line <- grep(name, readLines("/proc/self/status"), value = TRUE)
  1024 * as.numeric(sub("[^0-9]*([0-9]+).*", "\\1", line))
}

x <- matrix(read("x", n * d), n, d, byrow = TRUE)
covariances <- array(read("start.covariances", k * d * d), c(d, d, k))
start <- list(
  pro = read("start.weights", k),
  mean = matrix(read("start.means", k * d), d, k),
  variance = list(
    modelName = "VVV", d = d, G = k, sigma = covariances,
    cholsigma = array(apply(covariances, 3, chol), c(d, d, k))
  )
)
responsibilities <- estep(data = x, modelName = "VVV", parameters = start)$z
model <- c(full = "VVV", tied = "EEE", diag = "VVI", spherical = "VII")[[form]]
# proc.time() counts milliseconds only.
now <- function() as.numeric(Sys.time())
fit <- NULL
run <- function(iterations) {
  invisible(gc(FALSE))
  before <- now()
  # A tolerance of 0 is never met.
  control <- emControl(itmax = c(iterations, iterations), tol = c(0, 0), eps = 0)
  fit <<- me(data = x, modelName = model, z = responsibilities, control = control, warn = FALSE)
  now() - before
}

invisible(gc(FALSE))
resident <- tryCatch({
  cat("5", file = "/proc/self/clear_refs")
  status("VmRSS")
}, error = function(e) NA, warning = function(e) NA)
say('"version": "%s"', packageVersion("mclust"))

input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) == 1) {
  words <- strsplit(line, " ")[[1]]
  if (words[1] == "fit") {
    say('"seconds": %.6g', run(as.integer(words[2])))
  } else if (words[1] == "keep") {
    seconds <- run(as.integer(words[2]))
    p <- fit$parameters
    # A component's matrix is symmetric, so that its columns one after the other are its rows.
    rows <- matrix(as.vector(p$variance$sigma), k * d, d, byrow = TRUE)
    write_npy(paste0(words[3], ".weights.npy"), matrix(p$pro, 1))
    write_npy(paste0(words[3], ".means.npy"), t(matrix(p$mean, d, k)))
    write_npy(paste0(words[3], ".covariances.npy"), rows)
    say('"seconds": %.6g', seconds)
  } else if (words[1] == "predict") {
    before <- now()
    estep(data = x, modelName = model, parameters = fit$parameters)$z
    say('"seconds": %.6g', now() - before)
  } else if (words[1] == "memory") {
    if (is.na(resident)) say("") else say('"bytes": %.0f', max(status("VmHWM") - resident, 0))
  } else {
    stop("there is no command ", words[1])
  }
}
