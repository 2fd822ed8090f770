//! The stages of the work, over sizes and covariance forms: one EM pass, densities, probabilities, starts, a whole small
//! fit, a search. Rates are in rows per second.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use gmm_benches::Workload;
use gmm_core::block::BLOCK_ROWS;
use gmm_core::faer::linalg::matmul::matmul;
use gmm_core::faer::{Accum, Mat, MatRef, Par};
use gmm_core::kernels::operations::{
    Centred, DenseSums, Line, ListedNorm, ListedSums, Near, SquaredNorm, SumsSideBySide, padded,
};
use gmm_core::kernels::{Listed, Panels, Whitener, above, dense_sums, normalize_joint, packed_len};
use gmm_core::{Aligned, CovarianceType};
use gmm_em::{Em, Initialization};
use gmm_select::Search;
use pulp::Arch;
use rayon::ThreadPoolBuilder;

/// Common sizes: few and many features, few and many components, every form.
fn workloads() -> Vec<Workload> {
    let full = |n_samples, n_features, n_components| Workload {
        n_samples,
        n_features,
        n_components,
        form: CovarianceType::Full,
    };
    let mut all = vec![
        full(100_000, 2, 8),
        full(50_000, 8, 8),
        full(20_000, 16, 16),
        full(5_000, 64, 8),
    ];
    all.extend(
        CovarianceType::ALL
            .into_iter()
            .skip(1)
            .map(|form| Workload {
                form,
                ..full(20_000, 16, 16)
            }),
    );
    all
}

/// A group whose members take about a second each: passes take milliseconds, and many are measured in that time.
fn group<'c>(c: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(name);
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    group
}

fn em_pass(c: &mut Criterion) {
    let mut group = group(c, "em_pass");
    for workload in workloads() {
        let x = workload.data();
        let model = workload.start(&x);
        group.throughput(Throughput::Elements(workload.n_samples as u64));
        group.bench_function(BenchmarkId::from_parameter(workload.name()), |b| {
            b.iter(|| black_box(workload.pass(&x, &model)));
        });
    }
    group.finish();
}

/// The three kernels of a pass with full covariances, on one block and thread, and as a measure of the machine a product of matrices on one
/// thread: rates are in floating-point operations per second, of D² for a row and component in whitening and scatter, of rows and components for the
/// exponentials. Of whitening and scatter also from differences that are stored, of eight components side by side, and of an eighth of the rows,
/// which are listed.
fn kernels(c: &mut Criterion) {
    let mut group = group(c, "kernels");
    for d in [2, 4, 8, 16, 32, 64, 128, 256] {
        let filled = |len: usize, step: usize| {
            let mut buffer = Aligned::zeros(len);
            (buffer.iter_mut().enumerate())
                .for_each(|(i, v): (usize, &mut f64)| *v = (i * step % 1000) as f64 / 500.0 - 1.0);
            buffer
        };
        let (x, shift) = (filled(d * BLOCK_ROWS, 7919), vec![0.1; d]);
        let (z, origin) = (filled(d * padded::<f64>(), 7919), vec![0.2; d]);
        let near = Near {
            centred: Centred { z: &z },
            origin: &origin,
        };
        let whitener = Whitener::new(d, |i, j| 1.0 / (1 + i + j) as f64);
        let mut centred = Aligned::zeros(d * BLOCK_ROWS);
        let mut squared = Aligned::zeros(BLOCK_ROWS);
        let mut r = filled(BLOCK_ROWS, 104_729);
        r.iter_mut().for_each(|r| *r = 0.5 + 0.5 * *r);
        let (mut sums, mut products) = (vec![0.0; d], vec![0.0; packed_len(d)]);
        let mut panels = Panels::default();
        panels.read_rows(&x);
        group.throughput(Throughput::Elements((BLOCK_ROWS * d * d) as u64));
        group.bench_function(format!("whiten/d={d}"), |b| {
            b.iter(|| whitener.squared_norm(black_box(&x), &shift, &mut centred, &mut squared));
        });
        group.bench_function(format!("whiten_stored/d={d}"), |b| {
            b.iter(|| {
                Arch::new().dispatch(SquaredNorm {
                    whitener: &whitener,
                    differences: black_box(near),
                    centred: &mut centred,
                    line: Line::squared(),
                    out: &mut squared,
                });
            });
        });
        group.bench_function(format!("scatter/d={d}"), |b| {
            b.iter(|| {
                dense_sums(
                    black_box(&x),
                    &r,
                    &shift,
                    &mut panels,
                    &mut sums,
                    &mut products,
                )
            });
        });
        let (in_panels, memory) = panels.about(&shift);
        group.bench_function(format!("scatter_stored/d={d}"), |b| {
            b.iter(|| {
                Arch::new().dispatch(DenseSums {
                    differences: black_box(near.centred),
                    panels: in_panels,
                    memory,
                    r: &r,
                    sums: &mut sums,
                    products: &mut products,
                })
            });
        });
        let mut together = vec![0.0; 8 * (1 + d + packed_len(d))];
        let mut joint = Aligned::zeros(8 * BLOCK_ROWS);
        joint.copy_from_slice(&r.repeat(8));
        group.throughput(Throughput::Elements((8 * BLOCK_ROWS * d * d) as u64));
        group.bench_function(format!("scatter_side_by_side/d={d}"), |b| {
            b.iter(|| {
                Arch::new().dispatch(SumsSideBySide {
                    z: black_box(near.centred),
                    joint: &joint,
                    components: &[0, 1, 2, 3, 4, 5, 6, 7],
                    is_diagonal: false,
                    sums: &mut together,
                });
            });
        });
        let marked: Vec<f64> = (0..BLOCK_ROWS)
            .map(|i| f64::from(u8::from(i * 37 % 8 == 0)))
            .collect();
        let mut listed = Listed::default();
        assert!(listed.take(&above(&marked, 0.5, &[1.0; BLOCK_ROWS]), BLOCK_ROWS));
        group.throughput(Throughput::Elements((listed.rows().len() * d * d) as u64));
        group.bench_function(format!("whiten_listed/d={d}"), |b| {
            b.iter(|| {
                Arch::new().dispatch(ListedNorm {
                    whitener: &whitener,
                    x: black_box(&x),
                    mean: &shift,
                    listed: &listed,
                    centred: &mut centred,
                    line: Line::squared(),
                    out: &mut squared,
                });
            });
        });
        group.bench_function(format!("scatter_listed/d={d}"), |b| {
            b.iter(|| {
                Arch::new().dispatch(ListedSums {
                    panels: black_box(in_panels),
                    listed: &listed,
                    memory,
                    r: &r,
                    sums: &mut sums,
                    products: &mut products,
                })
            });
        });
    }
    const COMPONENTS: usize = 16;
    let terms: Vec<f64> = (0..COMPONENTS * BLOCK_ROWS)
        .map(|i| -((i % 97) as f64))
        .collect();
    let mut joint = Aligned::<f64>::zeros(terms.len());
    let mut log_density = Aligned::zeros(BLOCK_ROWS);
    group.throughput(Throughput::Elements(terms.len() as u64));
    group.bench_function("normalize/k=16", |b| {
        b.iter(|| {
            joint.copy_from_slice(&terms);
            normalize_joint(&mut joint, 0.0, &mut log_density)
        });
    });
    const SIZE: usize = 1024;
    let a = Mat::from_fn(SIZE, SIZE, |i, j| 1.0 / (1 + i + j) as f64);
    let mut product = Mat::<f64>::zeros(SIZE, SIZE);
    group.throughput(Throughput::Elements(2 * SIZE.pow(3) as u64));
    group.bench_function("gemm", |b| {
        b.iter(|| matmul(product.as_mut(), Accum::Replace, &a, &a, 1.0, Par::Seq));
    });
    group.finish();
}

/// The same rows in single precision: half the memory to read, the same arithmetic.
fn em_pass_f32(c: &mut Criterion) {
    let mut group = group(c, "em_pass_f32");
    for workload in [workloads()[0], workloads()[2]] {
        let x = workload.data();
        let model = workload.start(&x);
        let single = Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] as f32);
        group.throughput(Throughput::Elements(workload.n_samples as u64));
        group.bench_function(BenchmarkId::from_parameter(workload.name()), |b| {
            b.iter(|| black_box(workload.pass(&single, &model)));
        });
    }
    group.finish();
}

/// The same rows stored row by row and column by column.
fn em_pass_layout(c: &mut Criterion) {
    let mut group = group(c, "em_pass_layout");
    for workload in workloads().into_iter().take(4) {
        let x = workload.data();
        let model = workload.start(&x);
        let by_row: Vec<f64> = x.row_iter().flat_map(|row| row.iter()).copied().collect();
        let by_row = MatRef::from_row_major_slice(&by_row, x.nrows(), x.ncols());
        group.throughput(Throughput::Elements(workload.n_samples as u64));
        for (layout, x) in [("rows", by_row), ("columns", x.as_ref())] {
            let name = format!("{}/{layout}", workload.name());
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| black_box(workload.pass(x, &model)));
            });
        }
    }
    group.finish();
}

/// What a second thread gains, on enough rows for several leaves of the reduction tree per thread.
fn em_pass_threads(c: &mut Criterion) {
    let mut group = group(c, "em_pass_threads");
    let workload = Workload {
        n_samples: 100_000,
        ..workloads()[2]
    };
    let x = workload.data();
    let model = workload.start(&x);
    group.throughput(Throughput::Elements(workload.n_samples as u64));
    for n_threads in [1, 2] {
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
        let pool = pool.expect("a pool of one or two threads can be built");
        let name = format!("{}/threads={n_threads}", workload.name());
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| pool.install(|| black_box(workload.pass(&x, &model))));
        });
    }
    group.finish();
}

fn log_density(c: &mut Criterion) {
    let mut group = group(c, "log_density");
    for workload in workloads() {
        let x = workload.data();
        let model = workload.start(&x);
        group.throughput(Throughput::Elements(workload.n_samples as u64));
        group.bench_function(BenchmarkId::from_parameter(workload.name()), |b| {
            b.iter(|| black_box(model.log_density(&x)));
        });
    }
    group.finish();
}

/// Prediction into a matrix that is there already: without the allocation, which would be most of it for few features.
fn responsibilities(c: &mut Criterion) {
    let mut group = group(c, "responsibilities");
    for workload in [workloads()[0], workloads()[2]] {
        let x = workload.data();
        let model = workload.start(&x);
        let mut out = Mat::zeros(workload.n_samples, workload.n_components);
        group.throughput(Throughput::Elements(workload.n_samples as u64));
        group.bench_function(BenchmarkId::from_parameter(workload.name()), |b| {
            b.iter(|| black_box(model.responsibilities_into(&x, out.as_mut())));
        });
    }
    group.finish();
}

fn start(c: &mut Criterion) {
    let mut group = group(c, "start");
    let workload = workloads()[2];
    let x = workload.data();
    group
        .sample_size(10)
        .throughput(Throughput::Elements(workload.n_samples as u64));
    for initialization in Initialization::ALL {
        let em = Em::new(workload.n_components)
            .initialization(initialization)
            .max_iterations(0);
        group.bench_function(initialization.name(), |b| b.iter(|| black_box(em.fit(&x))));
    }
    group.finish();
}

fn small_fit(c: &mut Criterion) {
    let x = gmm_testkit::data::separated(3, 150, 4, 3).x;
    c.bench_function("fit/n=150/d=4/k=3", |b| {
        b.iter(|| black_box(Em::new(3).fit(&x)))
    });
    c.bench_function("search/n=150/d=4/k=1..9/4 forms/8 starts", |b| {
        b.iter(|| black_box(Search::over(1..=9).run(&x)));
    });
}

criterion_group!(
    stages,
    kernels,
    em_pass,
    em_pass_f32,
    em_pass_layout,
    em_pass_threads,
    log_density,
    responsibilities,
    start,
    small_fit
);
criterion_main!(stages);
