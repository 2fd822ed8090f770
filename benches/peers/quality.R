# mclust in `cargo xtask bench --quality`: every table of a folder, by its default start (a hierarchy, of a part of many rows).
#
#   Rscript quality.R FOLDER    prints: name, mclust, 1, seconds, log-likelihood per row, 0 (nothing is added to its covariances)

suppressMessages(library(mclust))
folder <- commandArgs(trailingOnly = TRUE)[1]

# float64 by rows, as the tables are written.
read_npy <- function(path) {
  file <- file(path, "rb")
  on.exit(close(file))
  readBin(file, "raw", 8)
  header <- readChar(file, readBin(file, "integer", size = 2, endian = "little"), useBytes = TRUE)
  stopifnot(grepl("'<f8'", header), grepl("'fortran_order': False", header))
  shape <- as.integer(regmatches(header, gregexpr("[0-9]+(?=[,)])", header, perl = TRUE))[[1]])
  matrix(readBin(file, "double", prod(shape), endian = "little"), ncol = shape[2], byrow = TRUE)
}

tables <- read.csv(file.path(folder, "tables.csv"))
for (i in seq_len(nrow(tables))) {
  x <- read_npy(file.path(folder, tables$file[i]))
  seconds <- system.time(
    fit <- Mclust(x, G = tables$components[i], modelNames = if (ncol(x) > 1) "VVV" else "V", verbose = FALSE)
  )[["elapsed"]]
  score <- if (is.null(fit)) NaN else fit$loglik / nrow(x)
  cat(sprintf("%s,mclust,1,%.6f,%.9f,0\n", tables$name[i], seconds, score))
  flush(stdout())
}
