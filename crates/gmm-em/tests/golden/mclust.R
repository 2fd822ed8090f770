# Writes mclust.csv. Usage: Rscript mclust.R FOLDER_OF_DATA > mclust.csv   (R 4.2.2, mclust 6.0.0)
suppressMessages(library(mclust))
folder <- commandArgs(TRUE)[1]
control <- emControl(tol = c(1e-13, 1e-11), itmax = c(20000L, 5000L))
cat("dataset,model,n_components,log_likelihood,labels\n")
for (name in c("old_faithful", "iris")) {
  table <- read.csv(file.path(folder, paste0(name, ".csv")))
  x <- as.matrix(table[sapply(table, is.numeric)])
  tree <- hc(x, modelName = "VVV", use = "SVD")
  for (G in 2:4) for (model in c("VVV", "EEE", "VVI", "VII")) {
    labels <- hclass(tree, G)[, 1]
    fit <- me(x, model, z = unmap(labels), control = control)
    if (is.finite(fit$loglik)) {
      cat(sprintf("%s,%s,%d,%.12f,%s\n", name, model, G, fit$loglik, paste(labels, collapse = "")))
    }
  }
}
