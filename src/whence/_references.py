"""The papers Whence implements, by the keys its docstrings use, and `citation` to print them."""

from typing import Any

from whence.errors import InvalidInput

REFERENCES: dict[str, str] = {
    "achtibat2023": "Achtibat, R. et al. (2023). From attribution maps to human-understandable explanations through concept relevance propagation. Nature Machine Intelligence 5.",
    "achtibat2024": "Achtibat, R. et al. (2024). AttnLRP: attention-aware layer-wise relevance propagation for transformers. ICML.",
    "adebayo2018": "Adebayo, J., Gilmer, J., Muelly, M., Goodfellow, I., Hardt, M., Kim, B. (2018). Sanity checks for saliency maps. NeurIPS.",
    "alain2014": "Alain, G., Bengio, Y. (2014). What regularized auto-encoders learn from the data-generating distribution. JMLR 15.",
    "ali2022": "Ali, A., Schnake, T., Eberle, O., Montavon, G., Müller, K.-R., Wolf, L. (2022). XAI for transformers: better explanations through conservative propagation. ICML.",
    "andeol2021": "Andeol, L., Kawakami, Y., Wada, Y., Kanamori, T., Müller, K.-R., Montavon, G. (2021). Learning domain invariant representations by joint Wasserstein distance minimization. arXiv:2106.04923.",
    "arras2016": "Arras, L., Horn, F., Montavon, G., Müller, K.-R., Samek, W. (2016). Explaining predictions of non-linear classifiers in NLP. ACL Workshop on Representation Learning for NLP.",
    "arras2017": "Arras, L., Montavon, G., Müller, K.-R., Samek, W. (2017). Explaining recurrent neural network predictions in sentiment analysis. WASSA.",
    "arras2017b": 'Arras, L., Horn, F., Montavon, G., Müller, K.-R., Samek, W. (2017). "What is relevant in a text document?": an interpretable machine learning approach. PLOS ONE 12(8).',
    "arras2019": "Arras, L. et al. (2019). Explaining and interpreting LSTMs. In Explainable AI, LNCS 11700.",
    "arras2022": "Arras, L., Osman, A., Samek, W. (2022). CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network explanations. Information Fusion 81.",
    "bach2015": "Bach, S., Binder, A., Montavon, G., Klauschen, F., Müller, K.-R., Samek, W. (2015). On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation. PLOS ONE 10(7).",
    "bach2016": "Bach, S., Binder, A., Müller, K.-R., Samek, W. (2016). Controlling explanatory heatmap resolution and semantics via decomposition depth. ICIP.",
    "balduzzi2017": "Balduzzi, D., Frean, M., Leary, L., Lewis, J. P., Ma, K. W.-D., McWilliams, B. (2017). The shattered gradients problem: if resnets are the answer, then what is the question? ICML.",
    "bhatt2020": "Bhatt, U., Weller, A., Moura, J. M. F. (2020). Evaluating and aggregating feature-based model explanations. IJCAI.",
    "binder2016": "Binder, A., Montavon, G., Lapuschkin, S., Müller, K.-R., Samek, W. (2016). Layer-wise relevance propagation for neural networks with local renormalization layers. ICANN.",
    "bluecher2024": "Blücher, S., Vielhaben, J., Strodthoff, N. (2024). Decoupling pixel flipping and occlusion strategy for consistent XAI benchmarks. TMLR.",
    "chalasani2020": "Chalasani, P., Chen, J., Chowdhury, A. R., Wu, X., Jha, S. (2020). Concise explanations of neural networks using adversarial training. ICML.",
    "chan1983": "Chan, T. F., Golub, G. H., LeVeque, R. J. (1983). Algorithms for computing the sample variance: analysis and recommendations. The American Statistician 37(3).",
    "chattopadhay2018": "Chattopadhay, A., Sarkar, A., Howlader, P., Balasubramanian, V. N. (2018). Grad-CAM++: generalized gradient-based visual explanations for deep convolutional networks. WACV.",
    "cho2009": "Cho, Y., Saul, L. K. (2009). Kernel methods for deep learning. NeurIPS.",
    "cho2011": "Cho, K., Ilin, A., Raiko, T. (2011). Improved learning of Gaussian-Bernoulli restricted Boltzmann machines. ICANN.",
    "deyoung2020": "DeYoung, J., Jain, S., Rajani, N. F., Lehman, E., Xiong, C., Socher, R., Wallace, B. C. (2020). ERASER: a benchmark to evaluate rationalized NLP models. ACL.",
    "ding2017": "Ding, Y., Liu, Y., Luan, H., Sun, M. (2017). Visualizing and understanding neural machine translation. ACL.",
    "efron1979": "Efron, B. (1979). Bootstrap methods: another look at the jackknife. The Annals of Statistics 7(1).",
    "haufe2014": "Haufe, S., Meinecke, F., Görgen, K., Dähne, S., Haynes, J.-D., Blankertz, B., Bießmann, F. (2014). On the interpretation of weight vectors of linear models in multivariate neuroimaging. NeuroImage 87.",
    "hinton2002": "Hinton, G. E. (2002). Training products of experts by minimizing contrastive divergence. Neural Computation 14(8).",
    "hinton2006": "Hinton, G. E., Salakhutdinov, R. R. (2006). Reducing the dimensionality of data with neural networks. Science 313.",
    "holm1979": "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6(2).",
    "kindermans2018": "Kindermans, P.-J., Schütt, K. T., Alber, M., Müller, K.-R., Erhan, D., Kim, B., Dähne, S. (2018). Learning how to explain neural networks: PatternNet and PatternAttribution. ICLR.",
    "kindermans2019": "Kindermans, P.-J., Hooker, S., Adebayo, J., Alber, M., Schütt, K. T., Dähne, S., Erhan, D., Kim, B. (2019). The (un)reliability of saliency methods. In Explainable AI, LNCS 11700.",
    "kingma2014": "Kingma, D. P., Welling, M. (2014). Auto-encoding variational Bayes. ICLR.",
    "krishna2022": "Krishna, S., Han, T., Gu, A., Pombra, J., Jabbari, S., Wu, S., Lakkaraju, H. (2022). The disagreement problem in explainable machine learning: a practitioner's perspective. arXiv:2202.01602.",
    "lapuschkin2016": "Lapuschkin, S., Binder, A., Montavon, G., Müller, K.-R., Samek, W. (2016). The LRP toolbox for artificial neural networks. JMLR 17.",
    "lapuschkin2016b": "Lapuschkin, S., Binder, A., Montavon, G., Müller, K.-R., Samek, W. (2016). Analyzing classifiers: Fisher vectors and deep neural networks. CVPR.",
    "lapuschkin2017": "Lapuschkin, S., Binder, A., Müller, K.-R., Samek, W. (2017). Understanding and comparing deep neural networks for age and gender classification. ICCV Workshops.",
    "lapuschkin2019": "Lapuschkin, S. et al. (2019). Unmasking Clever Hans predictors and assessing what machines really learn. Nature Communications 10.",
    "mahendran2015": "Mahendran, A., Vedaldi, A. (2015). Understanding deep image representations by inverting them. CVPR.",
    "montavon2012": "Montavon, G., Müller, K.-R. (2012). Deep Boltzmann machines and the centering trick. In Neural Networks: Tricks of the Trade, LNCS 7700.",
    "montavon2017": "Montavon, G., Lapuschkin, S., Binder, A., Samek, W., Müller, K.-R. (2017). Explaining nonlinear classification decisions with deep Taylor decomposition. Pattern Recognition 65.",
    "montavon2018": "Montavon, G., Samek, W., Müller, K.-R. (2018). Methods for interpreting and understanding deep neural networks. Digital Signal Processing 73.",
    "montavon2019": "Montavon, G., Binder, A., Lapuschkin, S., Samek, W., Müller, K.-R. (2019). Layer-wise relevance propagation: an overview. In Explainable AI, LNCS 11700.",
    "mordvintsev2015": "Mordvintsev, A., Olah, C., Tyka, M. (2015). Inceptionism: going deeper into neural networks. Google Research Blog.",
    "nguyen2016": "Nguyen, A., Dosovitskiy, A., Yosinski, J., Brox, T., Clune, J. (2016). Synthesizing the preferred inputs for neurons in neural networks via deep generator networks. NeurIPS.",
    "nguyen2017": "Nguyen, A., Clune, J., Bengio, Y., Dosovitskiy, A., Yosinski, J. (2017). Plug & play generative networks: conditional iterative generation of images in latent space. CVPR.",
    "nguyen2020": "Nguyen, A., Rodríguez Martínez, M. (2020). On quantitative aspects of model interpretability. arXiv:2007.07584.",
    "olah2017": "Olah, C., Mordvintsev, A., Schubert, L. (2017). Feature visualization. Distill.",
    "petsiuk2018": "Petsiuk, V., Das, A., Saenko, K. (2018). RISE: randomized input sampling for explanation of black-box models. BMVC.",
    "rezaei2024": "Rezaei Jafari, F., Montavon, G., Müller, K.-R., Eberle, O. (2024). MambaLRP: explaining selective state space sequence models. NeurIPS.",
    "rezaei2025": "Rezaei Jafari, F., Eberle, O., Khakzar, A., Nanda, N. (2025). RelP: faithful and efficient circuit discovery in language models via relevance patching. arXiv:2508.21258.",
    "rong2022": "Rong, Y., Leemann, T., Borisov, V., Kasneci, G., Kasneci, E. (2022). A consistent and efficient evaluation strategy for attribution methods. ICML.",
    "samek2017": "Samek, W., Binder, A., Montavon, G., Lapuschkin, S., Müller, K.-R. (2017). Evaluating the visualization of what a deep neural network has learned. IEEE Transactions on Neural Networks and Learning Systems 28(11).",
    "schuett2021": "Schütt, K. T., Unke, O. T., Gastegger, M. (2021). Equivariant message passing for the prediction of tensorial properties and molecular spectra. ICML.",
    "selvaraju2017": "Selvaraju, R. R. et al. (2017). Grad-CAM: visual explanations from deep networks via gradient-based localization. ICCV.",
    "shrikumar2017": "Shrikumar, A., Greenside, P., Kundaje, A. (2017). Learning important features through propagating activation differences. ICML.",
    "simonyan2014": "Simonyan, K., Vedaldi, A., Zisserman, A. (2014). Deep inside convolutional networks: visualising image classification models and saliency maps. ICLR Workshop.",
    "sixt2022": "Sixt, L., Landgraf, T. (2022). A rigorous study of the deep Taylor decomposition. TMLR.",
    "smilkov2017": "Smilkov, D., Thorat, N., Kim, B., Viégas, F., Wattenberg, M. (2017). SmoothGrad: removing noise by adding noise. arXiv:1706.03825.",
    "socher2013": "Socher, R. et al. (2013). Recursive deep models for semantic compositionality over a sentiment treebank. EMNLP.",
    "springenberg2015": "Springenberg, J. T., Dosovitskiy, A., Brox, T., Riedmiller, M. (2015). Striving for simplicity: the all convolutional net. ICLR Workshop.",
    "sundararajan2017": "Sundararajan, M., Taly, A., Yan, Q. (2017). Axiomatic attribution for deep networks. ICML.",
    "theiner2022": "Theiner, J., Müller-Budack, E., Ewerth, R. (2022). Interpretable semantic photo geolocation. WACV.",
    "tieleman2008": "Tieleman, T. (2008). Training restricted Boltzmann machines using approximations to the likelihood gradient. ICML.",
    "whence": "The Whence developers (2026). Whence: where does this prediction come from? Software.",
    "yeh2019": "Yeh, C.-K., Hsieh, C.-Y., Suggala, A. S., Inouye, D. I., Ravikumar, P. (2019). On the (in)fidelity and sensitivity of explanations. NeurIPS.",
    "yosinski2015": "Yosinski, J., Clune, J., Nguyen, A., Fuchs, T., Lipson, H. (2015). Understanding neural networks through deep visualization. ICML Deep Learning Workshop.",
    "zeiler2014": "Zeiler, M. D., Fergus, R. (2014). Visualizing and understanding convolutional networks. ECCV.",
    "zhang2016": "Zhang, J., Lin, Z., Brandt, J., Shen, X., Sclaroff, S. (2016). Top-down neural attention by excitation backprop. ECCV.",
}  # fmt: skip


def citation(of: Any) -> str:
    """The papers to cite for a method: an explainer, a rule, or a key such as "bach2015"."""
    keys = getattr(of, "sources", None)
    if keys is None and getattr(of, "source", None):
        keys = (str(of.source).split(",")[0],)
    if keys is None:
        keys = (of,)
    unknown = [key for key in keys if key not in REFERENCES]
    if unknown:
        raise InvalidInput(f"No reference {unknown[0]!r}; the keys are {sorted(REFERENCES)}.")
    return "\n".join(REFERENCES[key] for key in keys)
